"""An address -> verified bytes in a file.

Here: http(s), S3, Hugging Face and local files; retries, redirects, limits, redaction. Not here: archives,
published directories, datasets. Begin with `client.py`; a further kind of address is one class in `schemes.py`.
"""
