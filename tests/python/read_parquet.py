"""Reads an export with Apache Arrow and says what it found, row by row."""

import json
import os

import pyarrow as pa
import pyarrow.dataset as ds

table = ds.dataset(os.environ["CALLS"], format="parquet").to_table()
types = {field.name: str(field.type) for field in table.schema}
rows = [
    {
        name: (
            None
            if value is None
            # Microseconds, exactly.
            else int(pa.scalar(value, type=pa.timestamp("us", tz="UTC")).cast(pa.int64()).as_py())
            if types[name].startswith("timestamp")
            else value
        )
        for name, value in row.items()
    }
    for row in table.to_pylist()
]
print(json.dumps({"ok": True, "types": types, "rows": rows}))
