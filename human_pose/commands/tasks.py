"""Tasks of a command as a table; which flags may be given, and what they mean, follows.

A flag that would have no effect on what is asked for is refused. A flag that several
tasks share may have another default in each; `--help` says so.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from absl import flags


@dataclass(frozen=True)
class Default:
    """A task's default of a flag that has another one.

    Attributes:
      value: what the flag counts as where it is not given.
      said: what `--help` calls it, if not by the value.
    """

    value: Any
    said: str = ""

    def __str__(self) -> str:
        """What `--help` says."""
        return self.said or str(self.value)


@dataclass(frozen=True)
class Task:
    """Something that a command can be asked for.

    Attributes:
      name: among the tasks of a command.
      takes: names of the flags that count.
      word: the flag that asks for it, as it is written; empty for what a model does
        unless told otherwise.
      model: the `--model` that it is about; empty for a command without that flag.
      defaults: by flag, where they are not the flags' own.
    """

    name: str
    takes: frozenset[str]
    word: str = ""
    model: str = ""
    defaults: Mapping[str, Default] = field(default_factory=dict)

    @property
    def switch(self) -> str:
        """The name of the flag in `word`."""
        return self.word.removeprefix("--").partition("=")[0]

    def asked_for(self, flag_values: flags.FlagValues) -> bool:
        """Whether its model is chosen, and its flag is set."""
        if self.model and flag_values["model"].value != self.model:
            return False
        return not self.word or flag_values[self.switch].value not in (None, False)


class Asked:
    """A task with its flags' values, its own defaults among them, as attributes."""

    def __init__(self, task: Task, flag_values: flags.FlagValues) -> None:
        self.task = task
        self.flag_values = flag_values

    def __getattr__(self, name: str) -> Any:
        """The value of a flag; fails for one that does not count."""
        if name.startswith("__") or name not in self.task.takes:
            raise AttributeError(f"{self.task.name} has no flag {name}")
        if name in self.task.defaults and not self.given(name):
            return self.task.defaults[name].value
        return self.flag_values[name].value

    def given(self, name: str) -> bool:
        """Whether the user gave the flag."""
        return bool(self.flag_values[name].present)


class Table:
    """The tasks of a command.

    Args:
      tasks: of all models. Of one model the first that is asked for is meant: that
        without a word comes last, before it that whose word others need most.
    """

    def __init__(self, *tasks: Task) -> None:
        self.tasks = tasks
        self.models = tuple(dict.fromkeys(task.model for task in tasks))
        self.flags = sorted(frozenset[str]().union(*(task.takes for task in tasks)))

    def asked(self, flag_values: flags.FlagValues) -> Asked:
        """What parsed flags ask for."""
        task = next(task for task in self.tasks if task.asked_for(flag_values))
        return Asked(task, flag_values)

    def rule(self, flag_values: flags.FlagValues) -> None:
        """Lets the table refuse flags as they are parsed, and explain its defaults.

        Args:
          flag_values: in which every flag of the table is defined.
        """

        def refuse_idle(_: dict[str, Any]) -> bool:
            asked = self.asked(flag_values)
            for name in filter(asked.given, self.flags):
                if name not in asked.task.takes:
                    raise flags.ValidationError(
                        f"--{name} {self._why_idle(name, asked.task)}"
                    )
            return True

        switches = ["model"] if any(self.models) else []
        switches += [task.switch for task in self.tasks if task.word]
        flags.register_multi_flags_validator(
            list(dict.fromkeys(switches)), refuse_idle, flag_values=flag_values
        )
        for name in self.flags:
            flag = flag_values[name]
            models = {task.model for task in self.tasks if name in task.takes}
            if len(models) == 1 and models != {self.models[0]}:
                flag.help = f"{models.pop()}: {flag.help}"
            if own := "; ".join(self._own_defaults(name)):
                flag.help = f"{flag.help.removesuffix('.')} ({own})."

    def _why_idle(self, name: str, task: Task) -> str:
        """Why a flag has no effect on a task, in words that follow its name."""
        knowing = [other for other in self.tasks if name in other.takes]
        beside = [other for other in knowing if other.model == task.model]
        if not beside:
            return f"needs --model={knowing[0].model}"
        if task.word:
            return f"has no effect beside {task.word}"
        return f"needs {beside[-1].word}"

    def _own_defaults(self, name: str) -> Iterator[str]:
        """What a flag's default is in each model, or task, that has another one."""
        for model in self.models:
            tasks = [t for t in self.tasks if t.model == model and name in t.takes]
            said = {str(task.defaults.get(name, "")) for task in tasks}
            if len(said) == 1:
                tasks = tasks[:1]
            for task in tasks:
                if name in task.defaults:
                    who = model if len(said) == 1 and model else task.name
                    yield f"{who}: {task.defaults[name]}"
