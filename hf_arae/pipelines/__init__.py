"""Pipelines: from raw inputs to finished outputs, by the name of a task.

Nothing is imported here: what checks inputs serves where torch is not installed, too.
"""
