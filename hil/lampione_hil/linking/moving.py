"""What is needed once goes to the module that needs it, and is forgotten with that.

Most of a node's `__init__` run once a boot, called from a module that is forgotten then; in a class
they would stay in memory for ever. So what only such a module calls is moved into it:

- functions, and methods whose name no other class has;
- `__init__`: `C(x)` becomes `new_C(x)`, which makes an empty C and does what `__init__` did.

Only what can be moved surely is: plain functions without decorators, functions inside or `yield`
(what they make could outlive the module and hold its tables), called and not handed on, by names
that are bound once. A class that is derived from or handed on keeps its `__init__`.

Where the other module was imported by a function, what moves brings its imports inside itself:
nothing is loaded earlier than before.
"""

import ast
from collections.abc import Iterable

from lampione_hil.linking.groups import forgotten
from lampione_hil.linking.known import Alias, Known, asked
from lampione_hil.linking.onemove import Move, cut
from lampione_hil.linking.words import THEIRS


def move(known: Known, more: Iterable[str] = ()) -> None:
    """Move what is called only by modules that will be forgotten.

    Args:
        known: the program, which is changed.
        more: modules that will be, too.
    """
    trees = known.trees
    once = {name for tree in trees.values() for name in forgotten(tree, trees)}.union(more)
    while any(
        [_move_functions(known, once), _move_starts(known, once), _move_methods(known, once)]
    ):
        pass


def _plain(node: ast.AST) -> bool:
    """Say whether a function leaves nothing behind that is its own."""
    if not isinstance(node, ast.FunctionDef) or node.decorator_list:
        return False
    given = node.args
    if given.vararg or given.kwarg or given.kwonlyargs:
        return False
    if not all(_simple(value) for value in given.defaults):
        return False
    return not any(
        isinstance(
            inside,
            ast.FunctionDef
            | ast.AsyncFunctionDef
            | ast.ClassDef
            | ast.Lambda
            | ast.Yield
            | ast.YieldFrom
            | ast.GeneratorExp
            | ast.Global
            | ast.Nonlocal,
        )
        or (isinstance(inside, ast.Name) and inside.id == "super")
        for statement in node.body
        for inside in ast.walk(statement)
    )


def _returns(node: ast.FunctionDef) -> bool:
    return any(isinstance(inside, ast.Return) for inside in ast.walk(node))


def _simple(node: ast.expr) -> bool:
    return all(
        isinstance(n, ast.Constant | ast.UnaryOp | ast.USub | ast.Tuple | ast.Load)
        for n in ast.walk(node)
    )


def _move_functions(known: Known, once: set[str]) -> bool:
    found = False
    for module, tree in known.trees.items():
        for node in [*tree.body]:
            if isinstance(node, ast.FunctionDef) and not known.own(module, node.name):
                users = known.users(module, node.name, once)
                if _moved(known, module, node, users):
                    tree.body.remove(node)
                    for alias in known.aliases.get(
                        (module, node.name), []
                    ):  # of those who no more call it
                        if alias.alias in alias.node.names:
                            cut(known.trees[alias.module], alias)
                            known.changed(alias.module)
                    known.changed(module)
                    found = True
    return found


def _move_starts(known: Known, once: set[str]) -> bool:
    found = False
    for module, tree in known.trees.items():
        for holder in tree.body:
            if not isinstance(holder, ast.ClassDef) or holder.bases or holder.decorator_list:
                continue
            start = next((n for n in holder.body if getattr(n, "name", "") == "__init__"), None)
            if not isinstance(start, ast.FunctionDef) or (module, holder.name) in known.bases:
                continue
            if not all(asked(use) for use in known.own(module, holder.name)):
                continue
            users = known.users(module, holder.name, once)
            if _moved(known, module, start, users, holder.name):
                _take(holder, start)
                known.changed(module)
                found = True
    return found


def _take(holder: ast.ClassDef, method: ast.stmt) -> None:
    holder.body.remove(method)
    if not holder.body:
        holder.body.append(ast.Pass())


def _move_methods(known: Known, once: set[str]) -> bool:
    """Make functions of methods that one module alone calls, whose names say which they are."""
    found = False
    for module, tree in known.trees.items():
        for holder in tree.body:
            if isinstance(holder, ast.ClassDef):
                for method in [*holder.body]:
                    known.of(holder, method)
                    if isinstance(method, ast.FunctionDef) and _moves(known, module, method, once):
                        _take(holder, method)
                        known.changed(module)
                        found = True
    return found


def _moved(
    known: Known, module: str, node: ast.FunctionDef, users: list[list[Alias]], start: str = ""
) -> bool:
    if not users or not _plain(node) or (start and _returns(node)):
        return False
    moves = [Move(known, module, node, aliases, start) for aliases in users]
    if not all(move.sure for move in moves):
        return False
    for move in moves:
        move.write()
    return True


def _moves(known: Known, module: str, method: ast.FunctionDef, once: set[str]) -> bool:
    """Move a method where that is sure; say whether it was."""
    word = method.name
    users = known.asking(word)
    if len(users) != 1 or word[:2] == "__" or known.methods[word] != 1:
        return False
    if word in THEIRS or word in known.texts or word in known.spoken:
        return False
    ((user, count),) = users.items()
    if user not in once or user == module or not _plain(method):
        return False
    calls = [
        (node, node.func)
        for node in ast.walk(known.trees[user])
        if isinstance(node, ast.Call)
        if isinstance(node.func, ast.Attribute)
        if node.func.attr == word
    ]
    move = Move(known, module, method, [], where=user)
    if len(calls) != count or not move.sure:
        return False  # also handed on
    move.write()
    for call, function in calls:
        call.args.insert(0, function.value)
        call.func = ast.Name(move.name, ast.Load())
    known.changed(user)
    return True
