"""Example queries, which the demo shows with their first results."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class DemoQuery:
    """A question, its document, and a function that puts its answer in one line."""

    question: str
    document: str
    tell: Callable[[dict[str, Any]], str]


def _names(nodes: list[dict[str, Any]]) -> str:
    return ", ".join(str(node["displayName"] if "displayName" in node else node["name"]) for node in nodes)


def _stale(data: dict[str, Any]) -> str:
    found = data["assets"]
    return f"{found['totalCount']} in all, the oldest: {_names(found['nodes'])}"


def _guests(data: dict[str, Any]) -> str:
    found = data["users"]
    return f"{found['totalCount']} in all, such as {_names(found['nodes'])}"


def _largest(data: dict[str, Any]) -> str:
    counts = ((node["displayName"], node["users"]["totalCount"]) for node in data["groups"]["nodes"])
    return "; ".join(f"{name}: {count} {'user' if count == 1 else 'users'}" for name, count in counts)


def _chain(data: dict[str, Any]) -> str:
    node = data["users"]["nodes"][0]
    chain = [node["displayName"]]
    while node := node.get("manager"):
        chain.append(node["displayName"])
    return " → ".join(chain)


def _run(data: dict[str, Any]) -> str:
    run = data["taskRuns"]["nodes"][0]
    counts = ", ".join(f"{part['created']} {part['inventory']}" for part in run["counts"] if part["created"])
    return f"{run['status']} after {run['requests']['count']} requests to Graph; new: {counts or 'nothing'}"


QUERIES = (
    DemoQuery(
        "Which Windows machines were not seen for longest?",
        """{
  assets(
    first: 3
    where: { os: { contains: "windows" }, lastSeen: { isNull: false } }
    orderBy: [{ field: LAST_SEEN }]
  ) {
    totalCount
    nodes {
      name osVersion lastSeen
      owners { nodes { displayName department } }
    }
  }
}""",
        _stale,
    ),
    DemoQuery(
        "Which guests have an account that is enabled?",
        """{
  users(
    first: 3
    where: { userType: { eq: "Guest" }, accountEnabled: { eq: true } }
  ) {
    totalCount
    nodes { displayName email companyName groups { nodes { displayName } } }
  }
}""",
        _guests,
    ),
    DemoQuery(
        "Who are the members of the first groups, nested ones included?",
        """{
  groups(first: 3) {
    nodes {
      displayName
      kind
      users { totalCount }
      members(first: 3) {
        nodes {
          __typename
          ... on User { displayName }
          ... on Group { displayName userCount }
          ... on Asset { name }
        }
      }
    }
  }
}""",
        _largest,
    ),
    DemoQuery(
        "Whom does somebody report to, all the way up?",
        """{
  users(last: 1, where: { accountEnabled: { eq: true } }) {
    nodes {
      displayName
      manager { displayName manager { displayName manager { displayName } } }
    }
  }
}""",
        _chain,
    ),
    DemoQuery(
        "What did the last sync do?",
        """{
  taskRuns(last: 1) {
    nodes {
      status
      startedAt
      finishedAt
      requests { count retries }
      counts { inventory created updated unchanged removed skippedInactive }
      log { nodes { at level message } }
    }
  }
}""",
        _run,
    ),
)
