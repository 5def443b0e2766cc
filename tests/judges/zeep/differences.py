"""Where zeep writes something else than the bridge, and which clause says that zeep is wrong.

`explained` takes canonical XML, the bridge's and zeep's, and answers with the reason, or None.
"""


def explained(ours, theirs):
    return None
