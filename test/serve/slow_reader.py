"""A client that asks for a stream and does not read it, until a line comes on its standard input. Arguments: port, body."""

import socket
import sys

port, body = int(sys.argv[1]), sys.argv[2].encode()
client = socket.socket()
# A small window, so that the server's side fills up soon.
client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
client.connect(("127.0.0.1", port))
head = "POST /v1/completions HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\n"
client.sendall(f"{head}content-length: {len(body)}\r\n\r\n".encode() + body)
print("sent", flush=True)
sys.stdin.readline()
received = b""
try:
    while part := client.recv(65536):
        received += part
except ConnectionResetError:
    pass
print("whole" if b"[DONE]" in received else "cut off", flush=True)
