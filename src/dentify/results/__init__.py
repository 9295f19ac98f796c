"""A run's results for people and for other programs: one page, `findings.csv`, COCO, and pictures of photos and findings.

All of it is made of `Assessment`s, one at a time; `dentify.sinks` says when and writes.
"""
