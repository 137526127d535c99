"""Liability: what customers may still ask for, and how much revenue is deferred for it."""
