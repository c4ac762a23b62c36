"""The official batch APIs on any provider: kept on disk, worked off item by item.

tables   what is kept, and the connection to it
store    batches, their lines and their results
files    uploaded files, and results that look like files
lines    the requests of a batch, checked before any of them starts
forms    what clients of either API are told
items    one line on its way through the chain
engine   durable execution: one workflow for each batch, one step for each chunk
desk     all of it together: what the endpoints ask
"""
