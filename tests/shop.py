"""A small project, for tests that need nothing special of theirs: path → text."""

SHOP = {
    "README.md": "# Shop\n\nSells things over the network.\n",
    "shop/retry.py": (
        "import time\n\n\n"
        "def retry_with_backoff(call, attempts=5):\n"
        '    """Call again after a failure, waiting twice as long each time."""\n'
        "    for attempt in range(attempts):\n"
        "        try:\n"
        "            return call()\n"
        "        except OSError:\n"
        "            time.sleep(2**attempt)\n"
        "    raise TimeoutError\n"
    ),
    "shop/basket.py": (
        "class Basket:\n"
        '    """What a customer is about to buy."""\n\n'
        "    def __init__(self):\n"
        "        self.items = []\n\n"
        "    def total_price(self):\n"
        "        return sum(item.price for item in self.items)\n"
    ),
}
