"""Make the lake's bucket unless it is there, told by the pipeline's own settings."""

import os
import sys

from s3fs import S3FileSystem


def create_bucket(lake_uri: str, endpoint: str) -> str:
    """Return the bucket's name; the object store's own error passes through."""
    if not lake_uri.startswith("s3://"):
        raise SystemExit(f"create_bucket: BAROGRAPH_LAKE_URI is {lake_uri!r} (expected s3://bucket/prefix)")
    bucket = lake_uri.removeprefix("s3://").partition("/")[0]
    files = S3FileSystem(endpoint_url=endpoint)
    if bucket not in files.ls("", refresh=True):
        files.mkdir(bucket)
    return bucket


if __name__ == "__main__":
    name = create_bucket(os.environ["BAROGRAPH_LAKE_URI"], os.environ["BAROGRAPH_S3_ENDPOINT"])
    sys.stdout.write(f"bucket {name} is ready\n")
