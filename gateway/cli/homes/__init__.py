"""Recordings of homes: read, replayed to the detectors of routine, and asked what would have been."""
