"""Fetches an object from its address into a file and verifies its bytes.

Here: http(s), S3, Hugging Face and local files; retries, redirects, limits, redaction. Not here: archives (`archives`),
published directories (`publishing`) and datasets (`datasets`). Begin with `client.py`. What a status
means is in `answers.py`, what received bytes must be in `integrity.py`. To support a further kind of address, add one
class and list it in `schemes.py`.
"""
