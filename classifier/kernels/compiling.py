"""The only importer of numba: makes object code of a kernel. Imported when there is something to compile (`jit`).

Numba compiles each function for itself: it links in all that it calls, optimises the whole, makes machine code and two
wrappers. A helper needs none of that, it only has to be there to be linked into a kernel; so one kernel is linked, optimised
and made into machine code once. What else is left out of numba's way is said where it is.
"""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Iterator

import numba
from llvmlite import binding, ir
from numba.core import compiler, cpu, typed_passes, untyped_passes
from numba.core.codegen import JITCodeLibrary
from numba.np import arrayobj

from classifier.kernels import beside, shortcuts
from classifier.kernels.bundle_type import array_of, numba_type
from classifier.kernels.parts import APART, ENTRY, ENTRY_WORDS, TABLES, BundleKind, Part

_WORD = ir.IntType(64)
# Passes for what kernels do not have: closures, `with`, comprehensions, literal lists, generated functions; and reports.
_PASSES_LEFT_OUT = (
    untyped_passes.WithLifting,
    untyped_passes.InlineClosureLikes,
    untyped_passes.RewriteDynamicRaises,
    untyped_passes.MakeFunctionToJitFunction,
    untyped_passes.InlineInlinables,
    untyped_passes.FindLiterallyCalls,
    untyped_passes.LiteralUnroll,
    untyped_passes.LiteralPropagationSubPipelinePass,
    typed_passes.InlineOverloads,
    typed_passes.AnnotateTypes,
    typed_passes.DumpParforDiagnostics,
)


class _Library(JITCodeLibrary):
    """One function of ours, neither linked with what it calls nor optimised."""

    def finalize(self) -> None:
        self._raise_if_finalized()
        self._finalized = True

    def parts(self, found: dict) -> dict:
        """This library and all that it needs, each once."""
        if self not in found:
            found[self] = None
            for library in self._linking_libraries:
                if isinstance(library, _Library):
                    library.parts(found)
                else:
                    found[library] = None
        return found


class _Compiler(compiler.CompilerBase):
    """Numba's, for a function of ours."""

    def __init__(self, *arguments) -> None:
        super().__init__(*arguments)
        self.state.library = _Library(self.state.targetctx.codegen(), "helper")

    def define_pipelines(self):
        manager = compiler.DefaultPassBuilder.define_nopython_pipeline(self.state)
        manager.passes = [entry for entry in manager.passes if entry[0] not in _PASSES_LEFT_OUT]
        return [manager]


def _get_executable(context, library, fndesc, env, _numbas=cpu.CPUContext.get_executable):
    """Numba wants something to call of everything it compiled; of ours it gets what must not be called."""
    if not isinstance(library, _Library):
        return _numbas(context, library, fndesc, env)
    name = fndesc.qualname.split(".")[-1]
    return cpu._dynfunc.make_function(fndesc.lookup_module(), name, "", 0, env, (library,))


cpu.CPUContext.get_executable = _get_executable


def _index(context, builder, kind, index, _octets):
    """An index as a machine word. None is negative in a kernel, so none is looked at for what Python means by it."""
    return context.cast(builder, index, kind, numba.types.intp if kind.signed else numba.types.uintp)


arrayobj.fix_integer_index = _index
shortcuts.take()


def _dispatcher(function, inlined: bool = False):
    """What numba makes of a function. It would compile it anew for every constant it is called with, too; one compilation
    per type is enough."""
    options = {"no_cfunc_wrapper": True, "no_cpython_wrapper": True, "_nrt": False, "forceinline": inlined}
    dispatcher = numba.njit(**options, pipeline_class=_Compiler)(function)
    template = dispatcher.get_call_template

    def without_literals(arguments, keywords):
        plain = tuple(numba.types.unliteral(kind) for kind in arguments)
        return template(plain, {name: numba.types.unliteral(kind) for name, kind in keywords.items()})

    dispatcher.get_call_template = without_literals
    return dispatcher


def _made(part: Part):
    if part.made is None:
        for cell in part.function.__closure__ or ():
            if isinstance(cell.cell_contents, Part):
                cell.cell_contents = _made(cell.cell_contents)
        if part.intrinsic:
            part.made = numba.extending.intrinsic(part.function)
        else:
            part.made = _called_apart(part) if part.apart else _dispatcher(part.function, part.inlined)
    return part.made


_apart: dict[str, Part] = {}


def _make_all(namespaces: list[dict]) -> None:
    """Put what numba takes into the globals of modules in the place of Parts."""
    for namespace in namespaces:
        for name, value in list(namespace.items()):
            if isinstance(value, Part):
                namespace[name] = _made(value)
                if value.apart:
                    _apart[value.symbol] = value


def compile_kernel(function, kinds: list, namespaces: list[dict]) -> tuple[tuple, list[bytes]]:
    """((whether it gives a tuple, the kinds of its results), object files) of a kernel for arguments of these kinds.

    A kind is the name of a numba type of a whole number, a tuple (dtype, dimensions, writable) or a BundleKind.
    `namespaces`: of the modules in whose globals helpers stand.
    """
    _make_all(namespaces)
    signature = tuple(numba_type(kind) for kind in kinds)
    with _no_garbage():
        dispatcher = _dispatcher(function)
        dispatcher.compile(signature)
        compiled = dispatcher.overloads[signature]
        library = compiled.target_context.codegen().create_library(ENTRY)
        results = _add_entry(library, compiled)
        code, needed = _object_code(library, [compiled.library], {ENTRY})
    objects = [code]
    if needed:
        bundle = next(kind for kind in kinds if isinstance(kind, BundleKind) and kind[0] == TABLES)
        objects.append(beside.objects(bundle) or compile_apart(bundle, namespaces)[1])
    return results, objects


def compile_apart(bundle: BundleKind, namespaces: list[dict]) -> tuple[set[str], bytes]:
    """All that is apart, for tables of this kind: the names of its functions, the object file."""
    _make_all(namespaces)
    with _no_garbage():
        made = []
        for part in _apart.values():
            dispatcher = _dispatcher(part.function)
            signature = tuple(_kind_apart(kind, bundle) for kind in part.apart)
            dispatcher.compile(signature)
            made.append((part, dispatcher.overloads[signature]))
        library = made[0][1].target_context.codegen().create_library(APART)
        for part, compiled in made:
            _add_entry_apart(library, part, compiled)
        return set(_apart), _object_code(library, [compiled.library for _, compiled in made], set(_apart))[0]


@contextlib.contextmanager
def _no_garbage() -> Iterator[None]:
    """Garbage is not collected meanwhile: it would take a tenth of the time, for little that is."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()


def _object_code(library, kernels: list[_Library], entries: set[str]) -> tuple[bytes, bool]:
    """The object file, and whether it needs what is apart."""
    module = library._final_module
    parts: dict = {}
    for kernel in kernels:
        kernel.parts(parts)
    for part in parts:
        module.link_in(part._get_module_for_linking(), preserve=True)
    for function in module.functions:
        if not function.is_declaration and function.name not in entries:
            function.linkage = "internal"  # nobody else calls it: what is inlined everywhere need not stay
    passes, builder = library.codegen._module_pass_manager()
    passes.run(module, builder)
    module.verify()
    needed = False
    for function in module.functions:
        name = function.name
        if not function.is_declaration or name.startswith("llvm."):
            continue
        if name in _apart:
            needed = True
        elif not binding.address_of_symbol(name):  # what cannot be found would end the process when it is loaded
            raise RuntimeError(f"a kernel calls {name}, which is nowhere")
    return library.codegen._tm.emit_object(module), needed


def _kind_apart(kind, bundle: BundleKind) -> numba.types.Type:
    """The type of an argument of what is apart, see `parts.Part`."""
    if kind == TABLES:
        return numba_type(bundle)
    return numba.int64 if isinstance(kind, str) else numba.from_dtype(kind)


def _called_apart(part: Part):
    """What callers get in place of a helper that is apart: an intrinsic that calls it with words."""

    def call(arguments):
        kinds = [
            given if kind == TABLES else _kind_apart(kind, None)
            for kind, given in zip(part.apart, arguments, strict=True)
        ]

        def generate(context, builder, signature, values):
            words = [
                builder.ptrtoint(value, _WORD) if isinstance(kind, numba.types.Record) else value
                for kind, value in zip(signature.args, values, strict=True)
            ]
            called = ir.FunctionType(ir.IntType(32), [_WORD] * len(words))
            function = numba.core.cgutils.get_or_insert_function(builder.module, called, part.symbol)
            status = builder.call(function, words)
            with builder.if_then(builder.icmp_unsigned("!=", status, status.type(0)), likely=False):
                context.call_conv.return_user_exc(builder, SystemError, (f"{part.symbol} failed",))
            return context.get_dummy_value()

        return numba.void(*kinds), generate

    def three(_context, a, b, c):
        return call((a, b, c))

    def five(_context, a, b, c, d, e):
        return call((a, b, c, d, e))

    return numba.extending.intrinsic({3: three, 5: five}[len(part.apart)])


def _add_entry_apart(library, part: Part, compiled) -> None:
    """Add the function that kernels call in another object file: words in, a status out."""
    context, descriptor = compiled.target_context, compiled.fndesc
    module = library.create_ir_module(part.symbol)
    entry = ir.Function(module, ir.FunctionType(ir.IntType(32), [_WORD] * len(part.apart)), part.symbol)
    builder = ir.IRBuilder(entry.append_basic_block())
    values = [
        builder.inttoptr(word, context.get_value_type(kind)) if isinstance(kind, numba.types.Record) else word
        for kind, word in zip(descriptor.argtypes, entry.args, strict=True)
    ]
    callee = context.declare_function(module, descriptor)
    status, _ = context.call_conv.call_function(builder, callee, descriptor.restype, descriptor.argtypes, values)
    builder.ret(status.code)
    library.add_ir_module(module)


def _add_entry(library, compiled) -> tuple:
    """Add the function that Python calls: arguments from words, results to words, a status. Returns what it gives."""
    context, descriptor = compiled.target_context, compiled.fndesc
    module = library.create_ir_module(ENTRY)
    entry = ir.Function(module, ir.FunctionType(ir.IntType(32), [_WORD.as_pointer()] * 3), ENTRY)
    builder = ir.IRBuilder(entry.append_basic_block())
    words, results, exception = entry.args
    values = []
    for place, kind in enumerate(descriptor.argtypes):
        where = [builder.gep(words, [_WORD(place * ENTRY_WORDS + i)]) for i in range(ENTRY_WORDS)]
        loaded = [builder.load(pointer) for pointer in where]
        if isinstance(kind, numba.types.Array):
            values.append(array_of(context, builder, kind, loaded))
        else:
            values.append(builder.trunc(loaded[0], ir.IntType(1)) if kind == numba.boolean else loaded[0])
    callee = context.declare_function(module, descriptor)
    status, value = context.call_conv.call_function(builder, callee, descriptor.restype, descriptor.argtypes, values)
    with builder.if_then(status.is_error):
        builder.store(builder.ptrtoint(status.excinfoptr, _WORD), exception)
        builder.ret(status.code)
    kind = numba.types.unliteral(descriptor.restype)
    is_tuple = isinstance(kind, numba.types.BaseTuple)
    kinds = [numba.types.unliteral(each) for each in kind] if is_tuple else [kind] if kind != numba.none else []
    for place, each in enumerate(kinds):
        one = builder.extract_value(value, place) if is_tuple else value
        if one.type != _WORD:
            one = builder.sext(one, _WORD) if getattr(each, "signed", False) else builder.zext(one, _WORD)
        builder.store(one, builder.gep(results, [_WORD(place)]))
    builder.ret(ir.IntType(32)(0))
    library.add_ir_module(module)
    return is_tuple, [str(each).removeprefix("Literal") if each != numba.boolean else "boolean" for each in kinds]
