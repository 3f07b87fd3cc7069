"""Detections for Home Assistant, and whoever else listens to an MQTT broker.

detection ──messages──▶ backlog ──▶ publisher ──▶ connection (paho-mqtt) ──▶ broker
                        bounded     a thread      one per connection
"""
