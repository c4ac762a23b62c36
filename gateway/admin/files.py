"""The Files API, for input files of batches and the files of their results."""

from collections.abc import Awaitable, Callable, Mapping
from time import time

from gateway.admin.door import Ask, Door, say
from gateway.asgi import Edge, Receive, Scope, Send
from gateway.batches.content import Content, uploaded
from gateway.batches.desk import Desk, new_id
from gateway.batches.files import Files
from gateway.batches.forms import file_object
from gateway.batches.intake import Intake
from gateway.batches.tables import File
from gateway.call import Caller
from gateway.callers import Callers
from gateway.dialect import Dialect
from gateway.errors import InvalidRequest, NotFound, Unavailable
from gateway.reply import Reply, Stream
