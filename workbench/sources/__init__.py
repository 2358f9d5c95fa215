"""Reads foreign files strictly: every line ends as a record, a rejected line with its reason, or a blank one."""
