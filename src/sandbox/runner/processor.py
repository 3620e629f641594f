"""What the runner does with each line of a step's output: its ActionCommandManager."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sandbox.runner.commands import COMMANDS, parse

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sandbox.runner.commands import Command
    from sandbox.runner.log import StepLog
    from sandbox.runner.values import Level

_DOCS = "https://docs.github.com/actions/learn-github-actions/workflow-commands-for-github-actions"
_CHANGES = "https://github.blog/changelog"
_DISABLED = (
    "The `{}` command is disabled. Please upgrade to using Environment Files or opt into unsecure command "
    "execution by setting the `ACTIONS_ALLOW_UNSECURE_COMMANDS` environment variable to `true`. For more "
    f"information see: {_CHANGES}/2020-10-01-github-actions-deprecating-set-env-and-add-path-commands/"
)
_DEPRECATED = (
    "The `{}` command is deprecated and will be disabled soon. Please upgrade to using Environment Files. For "
    f"more information see: {_CHANGES}/2022-10-11-github-actions-deprecating-save-state-and-set-output-commands/"
)
_BAD_TOKEN = (
    "You cannot use a endToken that is an empty string, the string 'pause-logging', or another workflow "
    f"command. For more information see: {_DOCS}#example-stopping-and-starting-workflow-commands or opt into "
    "insecure command execution by setting the `ACTIONS_ALLOW_UNSECURE_STOPCOMMAND_TOKENS` environment "
    "variable to `true`."
)
_NOT_ECHOED = frozenset({"add-mask", "debug", "error", "notice", "warning"})
_SHORT_TOKEN = 6


class CommandError(Exception):
    """A command that the runner refuses, which fails the step; the message is the runner's."""


class Processor:
    """One step's commands: whether they are echoed or stopped, and what they set."""

    def __init__(
        self,
        log: StepLog,
        *,
        to_host: Callable[[str], str] = str,
        env: Mapping[str, str] | None = None,
    ) -> None:
        """Begin with commands on; they are echoed in step debug only."""
        self.outputs: dict[str, str] = {}
        self.state: dict[str, str] = {}
        self.env: dict[str, str] = {}
        self.path: list[str] = []
        self._log = log
        self._to_host = to_host
        self._unsecure = (env or {}).get("ACTIONS_ALLOW_UNSECURE_COMMANDS", "").strip().lower() == "true"
        self._echo = log.step_debug
        self._token: str | None = None
        self._handlers: dict[str, Callable[[Command], None]] = {
            "add-mask": self._add_mask,
            "add-path": self._add_path,
            "debug": lambda command: log.debug(command.data),
            "echo": self._set_echo,
            "endgroup": lambda _: log.write("##[endgroup]"),
            "error": lambda command: self._issue("error", command),
            "group": lambda command: log.write(f"##[group]{command.data}"),
            "notice": lambda command: self._issue("notice", command),
            "save-state": lambda command: self._set(self.state, command),
            "set-env": self._set_env,
            "set-output": lambda command: self._set(self.outputs, command),
            "stop-commands": self._stop,
            "warning": lambda command: self._issue("warning", command),
        }

    def line(self, text: str) -> None:
        """Obey a line that is a command, show any other."""
        if self._token is not None:
            self._await_token(text)
            return
        command = parse(text)
        if command is None:
            self._log.write(text)
            return
        if self._echo and command.name not in _NOT_ECHOED and command.name != "stop-commands":
            self._log.write(text)
        try:
            # Problem matchers have no handler: nothing here depends on them.
            if command.name in self._handlers:
                self._handlers[command.name](command)
        except CommandError as error:
            what = command.name if command.name in _NOT_ECHOED else text
            self._log.fail(f"Unable to process command '{what}' successfully.", str(error))
        if self._token is not None:
            self._log.write(text)

    def _await_token(self, text: str) -> None:
        """While stopped nothing is obeyed, not even `add-mask`, until the token comes as a command."""
        token = self._token or ""
        command = parse(text, COMMANDS | {token.lower()})
        if command is not None and command.name == token.lower():
            self._token = None
        self._log.write(text)

    def _stop(self, command: Command) -> None:
        token = command.data
        if not token or token.lower() == "pause-logging" or token.lower() in COMMANDS:
            raise CommandError(_BAD_TOKEN)
        if len(token) > _SHORT_TOKEN:
            self._log.masker.add(token)
        self._token = token

    def _add_mask(self, command: Command) -> None:
        if not command.data.strip():
            self._log.issue("warning", "Can't add secret mask for empty string in ##[add-mask] command.")
            return
        if self._echo:
            self._log.write("::add-mask::***")
        self._log.masker.add_lines(command.data)

    def _issue(self, level: Level, command: Command) -> None:
        properties = command.properties
        self._log.issue(
            level,
            command.data,
            title=properties.get("title", ""),
            file=self._to_host(properties.get("file", "")),
            line=properties.get("line", ""),
        )

    def _set_echo(self, command: Command) -> None:
        value = command.data.strip().lower()
        if value not in {"on", "off"}:
            raise CommandError(
                "Invalid echo command value. Possible values can be: 'on', 'off'. Current value is: "
                f"'{command.data}'."
            )
        self._echo = value == "on"

    def _set(self, store: dict[str, str], command: Command) -> None:
        self._log.issue("warning", _DEPRECATED.format(command.name))
        store[_name(command)] = command.data

    def _set_env(self, command: Command) -> None:
        self._refuse_unsecure(command)
        name = _name(command)
        if name.upper() == "NODE_OPTIONS":
            self._log.issue("error", "Can't update NODE_OPTIONS environment variable using ::set-env:: command.")
            return
        self.env[name] = command.data

    def _add_path(self, command: Command) -> None:
        self._refuse_unsecure(command)
        self.path.append(command.data)

    def _refuse_unsecure(self, command: Command) -> None:
        if not self._unsecure:
            raise CommandError(_DISABLED.format(command.name))


def _name(command: Command) -> str:
    name = command.properties.get("name", "")
    if not name:
        raise CommandError(f"Required field 'name' is missing in ##[{command.name}] command.")
    return name
