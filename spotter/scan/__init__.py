"""Keywords in thousands of recordings: found once each, by one process, several, or several machines.

    folder ──finding──▶ recordings ──work──▶ heard ──journal──▶ table
                        not in the journal    here, jobs (joblib) or cluster (dask)

Whoever hears a recording returns what was heard; only the process that was started writes, and each recording once.
"""
