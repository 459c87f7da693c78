"""One game day under way: processes, the record, when it has settled, what is read back."""
