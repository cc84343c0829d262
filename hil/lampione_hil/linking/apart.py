"""Methods marked `@rare` become files of their own, which a board loads for each call.

In the class `def m(self, x)` becomes `def m(self, x): return call("stem_m", self, x)`, where the
module `stem` lies in `rare.py`'s package, and so does the new module `stem_m` with the function
`run(self, x)`. A coroutine's function does the same: the code stays as long as it runs.
"""

import ast
from collections.abc import Iterator

from lampione_hil.linking.known import Known
from lampione_hil.linking.onemove import Move
from lampione_hil.linking.scopes import LinkError

_Function = ast.FunctionDef | ast.AsyncFunctionDef


def set_apart(known: Known) -> dict[str, str]:
    """Make the files, in `known.trees`; return {module: the one whose method it is}.

    Raises LinkError where a method cannot be moved surely.
    """
    found: dict[str, str] = {}
    for module, tree in [*known.trees.items()]:
        for holder in tree.body:
            if isinstance(holder, ast.ClassDef):
                for method in _marked(holder):
                    found[_set_apart(known, module, holder, method)] = module
    return found


def _marked(holder: ast.ClassDef) -> Iterator[_Function]:
    for node in [*holder.body]:
        if isinstance(node, _Function) and [ast.unparse(n) for n in node.decorator_list] == [
            "rare"
        ]:
            yield node


def _set_apart(known: Known, module: str, holder: ast.ClassDef, method: _Function) -> str:
    (alias,) = [a for _, a, _, _ in known.names[module].imports if a.name == "rare"]
    there, _ = known.origin((module, "rare"))
    stem = module.rpartition(".")[2]
    name = f"{there.rpartition('.')[0]}.{stem}_{method.name.strip('_')}"
    if name in known.trees:
        raise LinkError(f"{module}:{method.lineno}: {name} is there already")
    method.decorator_list = []
    known.of(holder, method)
    known.trees[name] = ast.Module([], [])
    known.changed(module, name)
    move = Move(known, module, method, [], where=name, name="run")
    if not move.sure or method.args.vararg or method.args.kwarg or method.args.kwonlyargs:
        raise LinkError(f"{module}:{method.lineno}: {method.name} cannot stand apart")
    move.write()
    given: list[ast.expr] = [ast.Name(one.arg, ast.Load()) for one in method.args.args]
    last: list[ast.expr] = [ast.Constant(name.rpartition(".")[2])]
    call = ast.Call(ast.Name("call", ast.Load()), last + given, [])
    stub = ast.FunctionDef(method.name, method.args, [ast.Return(call)], [])
    holder.body[holder.body.index(method)] = stub
    for node, other, _, _ in known.names[module].imports:
        if other is alias and not any(one.name == "call" for one in node.names):
            node.names.append(ast.alias("call"))
    known.changed(module, name)
    return name
