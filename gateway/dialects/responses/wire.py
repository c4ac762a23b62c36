"""Words of the Responses API that both of its directions need."""

NAME = "responses"
"""The dialect's name, and the origin of what is native to it."""
