"""The bare framework, as its README begins: what no function in it can be faster than."""

import functions_framework
from flask import Request


@functions_framework.http
def hello(_: Request) -> str:
    return "Hello world!"
