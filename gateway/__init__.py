"""The plugin API of interlingua: all that a middleware or provider of your own needs."""

from gateway.call import Call
from gateway.dialect import Dialect
from gateway.plugin import Middleware, Next, Provider
from gateway.reply import Reply, Stream

__all__ = ["Call", "Dialect", "Middleware", "Next", "Provider", "Reply", "Stream"]
