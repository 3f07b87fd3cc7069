"""Lets the site's pages name files of the repository that lie outside `docs`, as they do on GitHub.

Those files come along as pages under `repository/`, and their own links are followed in turn. A link that leads
nowhere is left as it is, for mkdocs to complain about.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Final

from mkdocs.structure.files import File

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files
    from mkdocs.structure.pages import Page

_DOCS: Final = "docs/"
_ALONG: Final = "repository/"
_CODE_OR_LINK: Final = re.compile(
    r"(?P<code>^ *```.*?^ *```|`[^`\n]+`)|(?P<text>\]\()(?P<link>[^)\s]+)(?=\))", re.MULTILINE | re.DOTALL
)
_LANGUAGES: Final = {".py": "python", ".toml": "toml", ".yml": "yaml", ".yaml": "yaml", ".sh": "bash"}


def on_files(files: Files, *, config: MkDocsConfig) -> Files:
    """Add the files outside `docs` that the pages name, those that these name, and so on."""
    root = Path(config.docs_dir).parent
    todo = [(_DOCS + file.src_uri, file.content_string) for file in files.documentation_pages()]
    while todo:
        place, text = todo.pop()
        for path in filter(None, (_named(root, place, link) for link in _links(text))):
            page = _page(path)
            if not path.startswith(_DOCS) and page not in files.src_uris:
                content = _content(root, path)
                files.append(File.generated(config, page, content=content))
                todo.append((path, content))
    return files


def on_page_markdown(markdown: str, *, page: Page, config: MkDocsConfig, files: Files) -> str:  # noqa: ARG001
    """Turn links into the repository into links to the pages that came along."""
    uri = page.file.src_uri
    place = _placed(uri)
    root = Path(config.docs_dir).parent

    def turned(link: str) -> str:
        path = _named(root, place, link)
        if path is None or (path.startswith(_DOCS) and not uri.startswith(_ALONG) and not link.endswith("/")):
            return link
        _, hash_, anchor = link.partition("#")
        return posixpath.relpath(_page(path), posixpath.dirname(uri) or ".") + hash_ + anchor

    return _replaced(markdown, turned)


def _links(text: str) -> Iterator[str]:
    return (match["link"] for match in _CODE_OR_LINK.finditer(text) if match["link"])


def _replaced(text: str, turned: Callable[[str], str]) -> str:
    return _CODE_OR_LINK.sub(lambda m: m["code"] or m["text"] + turned(m["link"]), text)


def _named(root: Path, place: str, link: str) -> str | None:
    """Return the repository's path of what a page at `place` names; None if that is no file of it."""
    where = link.partition("#")[0]
    if not where or ":" in where:
        return None
    path = posixpath.normpath(posixpath.join(posixpath.dirname(place), where))
    if (root / path).is_dir():
        path += "/README.md"
    return path if not path.startswith("..") and (root / path).is_file() else None


def _page(path: str) -> str:
    """Return the name within the site of a file of the repository."""
    if path.startswith(_DOCS):
        return path.removeprefix(_DOCS)
    return _ALONG + (path if path.endswith(".md") else path + ".md")


def _placed(uri: str) -> str:
    """Return where in the repository a page of the site lies."""
    return uri.removeprefix(_ALONG) if uri.startswith(_ALONG) else _DOCS + uri


def _content(root: Path, path: str) -> str:
    """Return a file as a page that the search leaves out; code as code."""
    text = (root / path).read_text("utf-8")
    head = f"---\ntitle: {path}\nsearch:\n  exclude: true\n---\n\n"
    if path.endswith(".md"):
        return head + text
    return f"{head}# {path}\n\n````{_LANGUAGES.get(PurePosixPath(path).suffix, 'text')}\n{text}````\n"
