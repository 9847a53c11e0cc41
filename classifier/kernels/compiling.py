"""The only importer of numba: makes object code of a kernel. Imported when there is something to compile (`jit`).

Numba compiles each function for itself: it links in all that it calls, optimises the whole, makes machine code and two
wrappers. A helper needs none of that, it only has to be there to be linked into a kernel; so one kernel is linked, optimised
and made into machine code once. What else is left out of numba's way is said where it is.
"""

from __future__ import annotations

import gc

import numba
from llvmlite import binding, ir
from numba.core import compiler, cpu, event, typed_passes, untyped_passes
from numba.core.codegen import JITCodeLibrary
from numba.np import arrayobj

from classifier.kernels.bundle_type import array_of, numba_type
from classifier.kernels.parts import ENTRY, ENTRY_WORDS, Part

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
event.broadcast = lambda _event: None  # nobody listens to what happens in the compiler


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
        part.made = (
            numba.extending.intrinsic(part.function) if part.intrinsic else _dispatcher(part.function, part.inlined)
        )
    return part.made


def compile_kernel(function, kinds: list, namespaces) -> tuple[tuple, bytes]:
    """((whether it gives a tuple, the kinds of its results), object code) of a kernel for arguments of these kinds.

    A kind is the name of a numba type of a whole number, a tuple (dtype, dimensions, writable) or a BundleKind.
    `namespaces`: of the modules in whose globals helpers stand.
    """
    for namespace in namespaces:
        for name, value in list(namespace.items()):
            if isinstance(value, Part):
                namespace[name] = _made(value)
    signature = tuple(numba_type(kind) for kind in kinds)
    dispatcher = _dispatcher(function)
    collecting = gc.isenabled()
    gc.disable()  # a tenth of the time, for little that is garbage
    try:
        dispatcher.compile(signature)
        compiled = dispatcher.overloads[signature]
        codegen = compiled.target_context.codegen()
        library = codegen.create_library(ENTRY)
        results = _add_entry(library, compiled)
        return results, _object_code(library, compiled.library)
    finally:
        if collecting:
            gc.enable()


def _object_code(library, kernels: _Library) -> bytes:
    module = library._final_module
    for part in kernels.parts({}):
        module.link_in(part._get_module_for_linking(), preserve=True)
    for function in module.functions:
        if not function.is_declaration and function.name != ENTRY:
            function.linkage = "internal"  # nobody else calls it: what is inlined everywhere need not stay
    passes, builder = library.codegen._module_pass_manager()
    passes.run(module, builder)
    module.verify()
    for function in module.functions:
        # What cannot be found would end the process when it is loaded.
        name = function.name
        if function.is_declaration and not name.startswith("llvm.") and not binding.address_of_symbol(name):
            raise RuntimeError(f"a kernel calls {name}, which is nowhere")
    return library.codegen._tm.emit_object(module)


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
