"""The parts of one Rollcall process, opened and closed together: store, vault, clock, engine, schedules, alerts."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import insert, select

from sync.alert.post import post
from sync.alert.sender import Post, Sender
from sync.clock import Clock, SystemClock
from sync.entra.cloud import Endpoints
from sync.entra.graph.limiter import Limiters
from sync.errors import ClaimLost, Interrupted, KeyUnusable, RollcallError, StoreError, StoreUnreadable, Tampered
from sync.events import ALERT, Changed, Events
from sync.indexer import Indexer
from sync.nightly import keep_house
from sync.organization.organizations import create_organization, create_site
from sync.organization.tokens import KnownTokens
from sync.renewal import Renewal, note_fresh
from sync.scan.scanner.name import NameOf, name_of
from sync.secret.sealed import ROOT_PLACE
from sync.secret.vault import Vault, create_key_file, new_root, read_key_file
from sync.store import Store
from sync.store.lock import FileLock
from sync.store.migrate import migrate
from sync.store.private import FILE_MODE, make_folder, make_private
from sync.store.tables import vault_proof
from sync.tasks.connector.connector import connect
from sync.tasks.defaults import FULL_ROUND_DAYS, RUN_RETRIES
from sync.tasks.engine.engine import EmbeddedEngine
from sync.tasks.engine.runner import RUNNERS
from sync.tasks.engine.ticker import Ticker
from sync.tasks.engine.workplace import ROWS_AHEAD, Connect, Workplace
from sync.tasks.run.run import Run
from sync.tasks.run.state import RunStatus

DATABASE_FILE = "rollcall.db"
KEY_FILE = "rollcall.key"
LOCK_FILE = "rollcall.lock"
DEFAULT_ORGANIZATION = "Default"
DEFAULT_SITE = "Primary"
_log = logging.getLogger("rollcall.run")


@dataclass(frozen=True)
class Config:
    """The configuration of a process.

    Args:
        data_dir: the directory of the database, the key file and the lock; created if missing.
        keys: the sealing keys; None: the key file in the data directory.
        custom: the origins of the CUSTOM cloud, if the operator has set them.
        connect: opens a Graph client; tests pass one that needs no network.
        alert_origins: the origins that alerts may go to; none by default.
        post: sends an alert.
        look_up: returns the name of an address that a scan has found.
        rows_ahead: rows of a full round that are written in one transaction; 0: page by page.
        full_round_days: days between full rounds for tasks without a number of their own; 0: never.
        run_retries: automatic retries in a row of a failed run, for tasks without a scheduled next time; 0: none.
    """

    data_dir: Path
    keys: str | None = None
    custom: Endpoints | None = None
    connect: Connect = connect
    alert_origins: tuple[str, ...] = ()
    post: Post = post
    look_up: NameOf = name_of
    rows_ahead: int = ROWS_AHEAD
    full_round_days: int = FULL_ROUND_DAYS
    run_retries: int = RUN_RETRIES


class Runtime:
    """The open parts of one process; create it by `open`, end it by `close`."""

    def __init__(self, config: Config, clock: Clock, lock: FileLock, store: Store) -> None:
        self.config, self.clock, self.store = config, clock, store
        self.custom = config.custom
        self.tokens = KnownTokens(store, clock)
        self.events = Events()
        store.on_change = self._tell
        self.first_start = False
        self.indexer = Indexer(store, clock)
        self.renewal = Renewal(store, clock)
        self.vault: Vault
        self.alerts: Sender
        self._lock = lock
        self._stopping = asyncio.Event()
        self._limiters = Limiters(clock)
        self.engine = EmbeddedEngine(store, clock, self._execute, self._stopping)
        self.ticker = Ticker(store, clock, self.engine.wake, self._stopping)
        self._behind: list[asyncio.Task[None]] = []
        # Only the process that executes runs sends alerts.
        self._sends = False

    @classmethod
    async def open(cls, config: Config, *, clock: Clock | None = None, run_tasks: bool = True) -> Runtime:
        """Take the lock, upgrade the database to this program's schema, check the key, and start the engine.

        Raises:
            StoreLocked: another process uses the data directory.
            StoreExposed: other users own or can change the data directory or a file in it.
            StoreNewer, StoreMisfit, StoreUnreadable: the database cannot be used; it was not changed.
            KeyUnusable: the key is missing, malformed or not the database's.
        """
        lock = take_lock(config.data_dir)
        clock, database = clock or SystemClock(), config.data_dir / DATABASE_FILE
        if not database.exists():
            # SQLite would create it readable by everybody; SQLite's log file gets the mode of the database.
            database.touch(FILE_MODE)
            database.chmod(FILE_MODE)
        store = Store.at(database, clock)
        runtime = cls(config, clock, lock, store)
        try:
            runtime.first_start = await migrate(store)
            runtime.vault = await _open_vault(config, store, first_start=runtime.first_start)
            runtime.alerts = Sender(store, clock, runtime.vault, config.alert_origins, config.post)
            if runtime.first_start:
                await runtime._furnish()
            if run_tasks:
                runtime._sends = True
                await runtime.engine.start()
                runtime._behind.append(asyncio.create_task(runtime.ticker.watch(), name="schedules"))
                # Continue the work that an earlier process left.
                runtime.indexer.wake()
                runtime.alerts.wake()
                runtime.renewal.start()
        except BaseException:
            await runtime.close()
            raise
        return runtime

    def keep_house(self) -> None:
        """Apply retention each night from now on, until the runtime is closed."""
        nightly = keep_house(self.store, self.clock, self._stopping)
        self._behind.append(asyncio.create_task(nightly, name="nightly"))

    async def close(self) -> None:
        """Let runs finish their current page, close the database, and release the lock."""
        await self.engine.stop()
        await asyncio.gather(*self._behind)
        if self._sends:
            await self.alerts.stop()
        await self.renewal.stop()
        await self.indexer.stop()
        await self.store.close()
        self._lock.release()

    def _tell(self, changed: Changed) -> None:
        """Publish the changes of a transaction, and wake the sender of alerts."""
        self.events.publish(changed)
        if self._sends and any(what == ALERT for _, what in changed):
            self.alerts.wake()

    async def _furnish(self) -> None:
        """Create the first organization and site of a new installation."""
        async with self.store.write() as tx:
            organization_id = await create_organization(tx, self.clock, DEFAULT_ORGANIZATION)
            await create_site(tx, self.clock, organization_id, DEFAULT_SITE)
            await tx.run_sync(note_fresh)

    async def _execute(self, run_id: int, stopping: asyncio.Event) -> None:
        """Execute one run; an error ends only this run.

        Raises:
            StoreError: the database failed, and the run must be resumed.
        """
        place = Workplace(
            self.store,
            self.clock,
            self.vault,
            self.custom,
            self.config.connect,
            self.config.look_up,
            self._limiters,
            self.config.rows_ahead,
            stopping,
            self.config.full_round_days,
        )
        try:
            run = await Run.claim(self.store, self.clock, run_id, self.config.run_retries)
        except StoreError:
            raise
        except RollcallError as error:
            _log.warning("run %d was not started: %s", run_id, error.message)
            return
        try:
            if run.is_stopped:
                raise Interrupted
            await RUNNERS[run.kind].run(place, run)
            await self.store.analyze()
        except Interrupted:
            _log.info("run %d was interrupted: %s", run_id, await run.interrupt(self.store))
        except ClaimLost as error:
            _log.info("run %d: %s", run_id, error.message)
        except StoreError:
            raise
        except Exception:  # the boundary of a run
            _log.exception("run %d failed unexpectedly", run_id)
            await run.fail(self.store, RollcallError("The run failed unexpectedly; the server's log has the details."))
            await run.finish(self.store, RunStatus.FAILED)
        finally:
            self.indexer.wake()
            # The run may have a planned retry.
            self.ticker.wake()


def take_lock(data_dir: Path) -> FileLock:
    """Lock a data directory for this process; create it if missing, and make it private to this user.

    Raises:
        StoreLocked: another process uses it.
        StoreExposed: other users own or can change the directory or a file in it.
        StoreUnreadable: it cannot be written.
    """
    lock = FileLock(data_dir / LOCK_FILE)
    try:
        make_folder(data_dir)
        make_private(data_dir)
        lock.acquire()
    except OSError as error:
        raise StoreUnreadable(
            f"The data directory cannot be written ({error.strerror}).", hint="Check ROLLCALL_DATA_DIR."
        ) from None
    return lock


async def _open_vault(config: Config, store: Store, *, first_start: bool) -> Vault:
    key_file = config.data_dir / KEY_FILE
    if config.keys is None and first_start and not key_file.exists():
        create_key_file(key_file)
    vault = read_vault(config)
    async with store.write() as tx:
        sealed = await tx.scalar(select(vault_proof.c.sealed))
        if sealed is None:
            root = new_root()
            await tx.execute(insert(vault_proof).values(id=1, sealed=vault.seal(root, ROOT_PLACE)))
        else:
            root = _prove(vault, sealed)
    vault.root = root.encode()
    return vault


def read_vault(config: Config) -> Vault:
    """Read the keys: those of the settings, or else of the key file.

    Raises:
        KeyUnusable: they are missing or malformed.
    """
    return Vault.parse(config.keys if config.keys is not None else read_key_file(config.data_dir / KEY_FILE))


def _prove(vault: Vault, sealed: bytes) -> str:
    try:
        return vault.open(sealed, ROOT_PLACE)
    except (KeyUnusable, Tampered):
        raise KeyUnusable(
            "The key is not the key that this database was sealed with.",
            hint="Restore the key file, or pass the old keys in ROLLCALL_KEYS_FILE. If they are lost for good, run "
            "`rollcall key lost`. The database was not changed.",
        ) from None
