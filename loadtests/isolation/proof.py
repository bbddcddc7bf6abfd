"""What a shop's key is answered to the other shop's names, and what that changes there.

An answer is judged twice. It holds no text of the other shop, and no name of it that was not sent.
And it is the same as to a name that nobody has ever given: so it does not even tell whether the
other shop has it.
"""

import asyncio
import itertools
import re
from collections.abc import Callable, Sequence

from loadtests.isolation.asking import AT_ONCE, Answer, Asker, asker_like
from loadtests.isolation.judging import Findings, Secrets, plain
from loadtests.isolation.operations import ONCE, ROUNDS, WITHOUT_A_NAME, Chain, Together
from loadtests.isolation.shops import OwnShop

BLOCK = 100
# Their answers go by the text, or by what is popular at the moment, whoever is named.
BY_TEXT = {
    "search", "suggest", "rerank", "rerank_v1", "rerank_v2", "list_items", "recommend",
    "recommend_brands", "recommend_categories", "rank_answers",
}  # fmt: skip
_UNKNOWN = "n0b0dy-has-this"
_FORM = re.compile(r"[\w-]{1,64}", re.ASCII)  # another one is refused for its form by some


def ask(
    own: OwnShop,
    other: OwnShop,
    names: Sequence[str],
    told: Callable[[int], None] = lambda n: None,
    block: int = BLOCK,
) -> Findings:
    """Send every operation every name with the key of `own`.

    block: names that go through a round together, and in one request where it takes many
    told: how many names have gone through a round; len(ROUNDS) * len(names) in the end
    """

    async def asked() -> Findings:
        async with asker_like(own.client) as asker:
            # A name made up of the word is the shop's own for as long as it was put there.
            put = tuple(name for name in names if other.word in name)
            proof = _Proof(asker, Secrets(other.word, frozenset(other.withheld), put), block)
            for steps in ROUNDS:
                await proof.go_round(steps, names, told)
            await proof.compare({**ONCE}, other.experiment)
            for key in (other.experiment, proof.unknown[-1]):
                own.client.delete(f"/v1/experiments/{key}")
            for operation, call in WITHOUT_A_NAME.items():
                proof.judge(operation, await asker.send(call), ())
            return proof.findings

    return asyncio.run(asked())


class _Proof:
    def __init__(self, asker: Asker, secrets: Secrets, block: int) -> None:
        self.findings = Findings()
        self.unknown: list[str] = []  # names that nobody has ever given, as they were asked for
        self._asker, self._secrets, self._block = asker, secrets, block
        self._lanes = asyncio.Semaphore(AT_ONCE)
        self._asks_unknown = asyncio.Lock()
        self._numbers = itertools.count()
        # The last answer to names that nobody has, by operation and how many they were.
        self._expected: dict[tuple[str, int], tuple[int, str]] = {}

    async def go_round(
        self, steps: Sequence[Chain | Together], names: Sequence[str], told: Callable[[int], None]
    ) -> None:
        """Send all names through the steps of a round, block by block."""
        for start in range(0, len(names), self._block):
            block = names[start : start + self._block]
            for step in steps:
                if isinstance(step, Together):
                    await self._together(step, block)
                else:
                    await asyncio.gather(*(self.compare(step, name) for name in block))
            told(len(block))

    async def compare(self, chain: Chain, name: str) -> None:
        """Send a name through a chain, and one that nobody has where it is answered otherwise than
        the last of these was."""
        async with self._lanes:
            await self._through(chain, name)

    async def _through(self, chain: Chain, name: str) -> None:
        for operation, call in chain.items():
            answer = await self._asker.send(call(name))
            self.judge(operation, answer, (name,))
            if operation in BY_TEXT or answer.status == 422 or not _FORM.fullmatch(name):
                continue
            ours = plain(answer, (name,))
            if ours != self._expected.get((operation, 1)):
                await self._ask_unknown(chain, operation, ours)
                self._differ(operation, (name,), ours)

    async def _ask_unknown(self, chain: Chain, operation: str, ours: tuple[int, str]) -> None:
        """Through the whole chain, as the name goes: what was put is there, and then no more."""
        async with self._asks_unknown:
            if ours == self._expected.get((operation, 1)):
                return
            (unknown,) = self._new_unknown(1)
            for each, call in chain.items():
                answer = await self._asker.send(call(unknown))
                self.findings.take(each, answer.status, 0)
                self._expected[each, 1] = plain(answer, (unknown,))

    async def _together(self, step: Together, block: Sequence[str]) -> None:
        """Names of the form that all take are asked for apart: then nothing is refused for it."""
        formed = [name for name in block if _FORM.fullmatch(name)]
        others = [name for name in block if not _FORM.fullmatch(name)]
        if others:
            self.judge(step.operation, await self._asker.send(step.call(others)), others)
        if not formed:
            return
        answer = await self._asker.send(step.call(formed))
        self.judge(step.operation, answer, formed)
        ours, key = plain(answer, formed), (step.operation, len(formed))
        if step.operation in BY_TEXT:
            return
        if ours != self._expected.get(key):
            unknown = self._new_unknown(len(formed))
            expected = await self._asker.send(step.call(unknown))
            self.findings.take(step.operation, expected.status, 0)
            self._expected[key] = plain(expected, unknown)
            self._differ(step.operation, formed, ours)

    def judge(self, operation: str, answer: Answer, sent: Sequence[str]) -> None:
        """Count an answer and look what it tells."""
        self.findings.take(operation, answer.status, len(sent) or 1)
        for secret in self._secrets.told(answer, sent):
            self.findings.leaked(f"{operation} {sent} told {secret!r}: {answer.text[:300]}")

    def _differ(self, operation: str, names: Sequence[str], ours: tuple[int, str]) -> None:
        theirs = self._expected[operation, len(names)]
        if ours != theirs:
            self.findings.differed(f"{operation} {names}: {ours} and not {theirs}")

    def _new_unknown(self, n: int) -> list[str]:
        made = [f"{_UNKNOWN}{number}" for number in itertools.islice(self._numbers, n)]
        self.unknown += made
        return made
