"""A program that is being changed: who imports what, who calls it, and by which names."""

import ast
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from lampione_hil.linking.merge import Import
from lampione_hil.linking.scopes import Names, Scope, Use
from lampione_hil.linking.words import PROMPT

_Function = ast.FunctionDef | ast.AsyncFunctionDef
Target = tuple[str, str]  # (module, name); a module: (module, "")


@dataclass(frozen=True)
class Alias:
    """An import of something in a module."""

    module: str
    node: Import
    alias: ast.alias
    scope: Scope
    target: Target

    @property
    def here(self) -> str:
        return self.alias.asname or self.alias.name.split(".")[0]


class _Facts:
    """One module, read once until it is changed."""

    def __init__(self, name: str, tree: ast.Module) -> None:
        self.names = Names(name, tree)
        self.uses: dict[tuple[Scope, str], list[Use]] = {}
        for use in self.names.uses:
            self.uses.setdefault((use.scope.find(use.name), use.name), []).append(use)
        self.attributes: Counter[str] = Counter()
        self.asked: set[tuple[str, str]] = set()  # (name, attribute)
        self.texts: set[str] = set()
        self.bases: set[str] = set()
        self.methods: list[str] = []
        self.classes: list[str] = []
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute):
                self.attributes[node.attr] += 1
                if isinstance(node.value, ast.Name):
                    self.asked.add((node.value.id, node.attr))
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                self.texts.add(node.value)
            elif isinstance(node, ast.ClassDef):
                self.classes.append(node.name)
                self.bases |= {ast.unparse(base).rpartition(".")[2] for base in node.bases}
                self.methods += [n.name for n in node.body if isinstance(n, _Function)]


class Known:
    """The program as it stands, read again where it was changed.

    Args:
        trees: every module by its dotted name.
        scripts: what it begins with; what they mention stays.
    """

    def __init__(self, trees: dict[str, ast.Module], scripts: Sequence[ast.Module]) -> None:
        self.trees = trees
        self.packages = {name.rpartition(".")[0] for name in trees}
        self.spoken = {word for script in scripts for word in _mentions(script)} | PROMPT
        self._facts: dict[str, _Facts] = {}
        self.given: set[ast.AST] = set()  # names that stand for what was moved
        self.changed(*trees)

    def changed(self, *modules: str) -> None:
        """Read what was changed."""
        for name in modules:
            ast.fix_missing_locations(self.trees[name])
            self._facts[name] = _Facts(name, self.trees[name])
        facts = self._facts.values()
        self.names = {name: one.names for name, one in self._facts.items()}
        self.texts = {text for one in facts for text in one.texts}
        self.bases = {self.origin((n, b)) for n, one in self._facts.items() for b in one.bases}
        self.methods = Counter(name for one in facts for name in one.methods)
        self.classes = Counter(name for one in facts for name in one.classes)
        self.aliases: dict[Target, list[Alias]] = {}
        self.reached: set[Target] = set()  # as attributes of a module
        for module, one in self._facts.items():
            for node, alias, scope, _ in one.names.imports:
                target = self.target(module, node, alias)
                found = Alias(module, node, alias, scope, self.origin(target))
                self.aliases.setdefault(found.target, []).append(found)
                if not target[1]:
                    self.reached |= {(target[0], a) for name, a in one.asked if name == found.here}

    def asking(self, word: str) -> dict[str, int]:
        """Return {module: how often it says an attribute}."""
        return {n: one.attributes[word] for n, one in self._facts.items() if word in one.attributes}

    def target(self, module: str, node: Import, alias: ast.alias) -> Target:
        """Return what an import names; ("", "") where that is not said."""
        if isinstance(node, ast.Import):
            return (alias.name, "") if alias.asname or "." not in alias.name else ("", "")
        base = node.module or ""
        if node.level:
            inside = module.split(".")
            inside = inside[: len(inside) - node.level + (module in self.packages)]
            base = ".".join([*inside, *filter(None, [base])])
        below = f"{base}.{alias.name}"
        return (below, "") if below in self.trees else (base, alias.name)

    def origin(self, target: Target) -> Target:
        """Return what a thing is where it is made."""
        while target[1] and target[0] in self.trees:
            bound = self.names[target[0]].top.bound.get(target[1], [])
            if len(bound) != 1 or not isinstance(bound[0], ast.alias):
                break
            there = next(i for i in self.names[target[0]].imports if i[1] is bound[0])
            target = self.target(target[0], there[0], there[1])
        return target

    def of(self, holder: ast.ClassDef, method: ast.stmt) -> None:
        """Note whose method a function was, for `words`, if the class' name says it."""
        if isinstance(method, _Function) and method.args.args and self.classes[holder.name] == 1:
            method.args.args[0].of = holder.name  # type: ignore[attr-defined]

    def own(self, module: str, name: str) -> list[Use]:
        """Return the uses of a module's name in it, but for where it is made."""
        top = self.names[module].top
        uses = self._facts[module].uses.get((top, name), ())
        return [use for use in uses if use.node not in top.bound[name]]

    def at(self, alias: Alias) -> list[Use]:
        """Return the uses of what an import names, but for imports."""
        scope = home(alias, self.names[alias.module])
        uses = self._facts[alias.module].uses.get((scope, alias.here), ())
        return [use for use in uses if use.field != "alias" and use.node not in self.given]

    def users(self, module: str, name: str, once: set[str]) -> list[list[Alias]]:
        """Return how the modules that call a thing import it, if all of them will be forgotten.

        Nothing where it is not surely so.
        """
        if (module, name) in self.reached or name in self.spoken:
            return []
        if len(self.names[module].top.bound[name]) != 1:
            return []
        callers: dict[str, list[Alias]] = {}
        for alias in self.aliases.get((module, name), []):
            uses, top = self.at(alias), self.names[alias.module].top
            if not all((called(u) and u.scope is not top) or asked(u) for u in uses):
                return []
            if alias.scope is not top and any(asked(u) for u in uses):
                return []
            if any(called(u) for u in uses):
                callers.setdefault(alias.module, []).append(alias)
        return [*callers.values()] if once.difference([module]).issuperset(callers) else []


def _mentions(script: ast.Module) -> Iterator[str]:
    for node in ast.walk(script):
        for word in vars(node).values():
            if isinstance(word, str):
                yield from word.split(".")


def home(alias: Alias, names: Names) -> Scope:
    return alias.scope.find(alias.here) if alias.scope is not names.top else names.top


def called(use: Use) -> bool:
    return isinstance(use.parent, ast.Call) and use.parent.func is use.node


def asked(use: Use) -> bool:
    """Say whether it stands in isinstance(x, C)."""
    call = use.parent
    return (
        isinstance(call, ast.Call)
        and isinstance(call.func, ast.Name)
        and call.func.id == "isinstance"
        and call.args[0] is not use.node
    )
