"""Sends signed callbacks at a steady rate, each over a connection of its own, whatever becomes of those before.

    load.py RATE SECONDS NAMES

Prints what became of them; exits with 1 unless each was answered 200. Takes `secret` and `project` from the environment.
"""

import asyncio, collections, hashlib, hmac, json, os, sys, time

RATE, SECONDS, NAMES = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
ANSWER_MAX_SECS = 30
SECRET, PROJECT = os.environ["secret"].encode(), os.environ["project"]


def request(n):
    body = json.dumps({"eventId": f"{NAMES}-{n}", "timestamp": "2026-02-03T04:05:06.789", "projectId": PROJECT, "resourceId": f"order-{NAMES}-{n}",
                       "resourceType": "NUMBER_ORDER", "eventType": "NUMBER_ORDER_PROCESSING", "status": "IN_REVIEW"}).encode()
    signature = hmac.new(SECRET, body, hashlib.sha1).hexdigest()
    head = (f"POST /callbacks HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nConnection: close\r\n"
            f"X-Sinch-Signature: {signature}\r\nContent-Length: {len(body)}\r\n\r\n")
    return head.encode() + body


async def send(n):
    """Returns the status of the answer, or what happened instead, and how long that took."""
    began = time.monotonic()
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", 8080)
        writer.write(request(n))
        line = await asyncio.wait_for(reader.readline(), ANSWER_MAX_SECS)
        writer.close()
        result = line.split()[1].decode() if line else "closed without an answer"
    except OSError as error:
        result = "refused" if isinstance(error, ConnectionRefusedError) else type(error).__name__
    except asyncio.TimeoutError:
        result = f"not answered within {ANSWER_MAX_SECS} s"
    return result, time.monotonic() - began


async def main():
    began, sending = time.monotonic(), []
    for n in range(RATE * SECONDS):
        await asyncio.sleep(max(0, began + n / RATE - time.monotonic()))
        sending.append(asyncio.create_task(send(n)))
    rate = len(sending) / max(time.monotonic() - began, SECONDS)
    answers = await asyncio.gather(*sending)
    counts = collections.Counter(result for result, _ in answers)
    said = ", ".join(f"{count} {result}" for result, count in counts.most_common())
    print(f"{len(answers)} at {rate:.0f} a second: {said}; the slowest took {max(seconds for _, seconds in answers):.1f} s")
    sys.exit(set(counts) != {"200"})


asyncio.run(main())
