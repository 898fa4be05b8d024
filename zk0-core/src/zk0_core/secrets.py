"""Keys of services: from the environment, else from `.env` in the working folder.

What the environment has is never overruled, and nothing is put into it. A secret goes to the
service that it is for, and nowhere else: no plan, record or log holds one.
"""

import os


def secret(name: str) -> str | None:
    """Return the secret `name`, such as "HF_TOKEN"; None if nobody set it, or set it to nothing."""
    if value := os.environ.get(name):
        return value
    if name in os.environ:
        # Set to nothing on purpose, to go without the one in the file.
        return None
    from dotenv import dotenv_values

    return dotenv_values(".env", interpolate=False).get(name) or None
