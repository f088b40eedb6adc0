// SPDX-License-Identifier: Apache-2.0
import Foundation
import PackagePlugin

/// Compiles kernel programs with the Swift toolchain's own clang and embeds each object in the target.
///
/// The sources are `bpf/programs/*.bpf.c`, or `BPF/*.bpf.c` of the target that uses the plugin if it has such a folder
/// (tests and benchmarks). For `tc_workload.bpf.c` the target gets `KernelProgram.tc_workload`, and
/// `KernelProgram.all` lists every object. A plugin may not generate C, so the bytes travel as a base64
/// `StaticString`: 0.1 s to compile, where a `[UInt8]` literal takes seconds.
@main
struct CompileKernelPrograms: BuildToolPlugin {
    func createBuildCommands(context: PluginContext, target: any Target) throws -> [Command] {
        guard let module = target as? any SourceModuleTarget else { return [] }
        let package = context.package.directoryURL
        let own = module.directoryURL.appending(path: "BPF")
        let hasOwn = FileManager.default.fileExists(atPath: own.path)
        let build = Build(
            clang: try context.tool(named: "clang").url,
            package: package,
            sources: hasOwn ? own : package.appending(path: "bpf/programs"),
            includes: [package.appending(path: "bpf/abi"), package.appending(path: "bpf/lib")],
            output: context.pluginWorkDirectoryURL,
            listName: hasOwn ? "allOf\(module.moduleName)" : "all",
            imports: hasOwn ? "package import KernelPrograms\n" : "")
        return try build.commands()
    }
}

private struct Build {
    let clang: URL
    let package: URL
    let sources: URL
    let includes: [URL]
    let output: URL
    let listName: String
    let imports: String

    func commands() throws -> [Command] {
        let here = files(in: sources)
        let headers = (here + includes.flatMap(files(in:))).filter { $0.pathExtension == "h" }
        let programs = here.filter { $0.lastPathComponent.hasSuffix(".bpf.c") }
        return programs.map { compile($0, headers: headers) } + [list(programs)]
    }

    /// One object and the Swift file that carries it.
    ///
    /// Written aside and renamed, so that an interrupted build leaves no half a file with a fresh date.
    private func compile(_ source: URL, headers: [URL]) -> Command {
        let stem = self.stem(source)
        let generated = output.appending(path: "KernelProgram+\(stem).swift")
        let object = output.appending(path: "\(stem).bpf.o")
        let script = #"""
            set -e
            clang=$1 source=$2 object=$3 generated=$4 stem=$5 imports=$6
            shift 6
            "$clang" "$@" -c "$source" -o "$object"
            {
                printf '%s\nextension KernelProgram {\n    /// The object of %s.bpf.c.\n' "$imports" "$stem"
                printf '    package static let %s = KernelProgram(\n        name: "%s", digest: "%s",\n        base64: "' \
                    "$stem" "$stem" "$(sha256sum < "$object" | cut -d ' ' -f 1)"
                base64 -w0 < "$object"
                printf '")\n}\n'
            } > "$generated.tmp"
            mv "$generated.tmp" "$generated"
            """#
        return shell(
            "Compiling kernel program \(source.lastPathComponent)", script,
            [clang.path, source.path, object.path, generated.path, stem, imports] + flags,
            inputs: [source] + headers, output: generated)
    }

    /// `-fno-split-cold-code`: the toolchain splits cold code by default, and libbpf refuses the static pieces.
    ///
    /// `-ffile-prefix-map`: the object is the same wherever the package lies.
    private var flags: [String] {
        [
            "-target", "bpfel", "-D__TARGET_ARCH_\(architecture)", "-mcpu=v3", "-O2", "-g", "-std=gnu11", "-Wall",
            "-Wextra", "-Werror",
            "-Wno-unused-parameter", "-fno-ident", "-Xclang", "-fno-split-cold-code",
            "-mllvm", "-bpf-disable-trap-unreachable", "-ffile-prefix-map=\(package.path)=.",
        ] + ([sources] + includes).flatMap { ["-I", $0.path] }
    }

    /// The host's, by the name that CO-RE programs know it by; only x86 is told apart so far.
    private var architecture: String {
        #if arch(x86_64)
            "x86"
        #else
            "other"
        #endif
    }

    private func list(_ programs: [URL]) -> Command {
        let generated = output.appending(path: "KernelProgram+\(listName).swift")
        let script = #"""
            set -e
            generated=$1 name=$2 imports=$3
            shift 3
            {
                printf '%s\nextension KernelProgram {\n    /// Every object of this target.\n' "$imports"
                printf '    package static let %s: [KernelProgram] = [' "$name"
                for stem in "$@"; do printf '.%s, ' "$stem"; done
                printf ']\n}\n'
            } > "$generated.tmp"
            mv "$generated.tmp" "$generated"
            """#
        return shell(
            "Listing kernel programs", script, [generated.path, listName, imports] + programs.map(stem),
            inputs: programs, output: generated)
    }

    private func shell(
        _ name: String, _ script: String, _ arguments: [String], inputs: [URL], output: URL
    ) -> Command {
        .buildCommand(
            displayName: name, executable: URL(filePath: "/bin/sh"), arguments: ["-c", script, "sh"] + arguments,
            inputFiles: inputs, outputFiles: [output])
    }

    private func stem(_ source: URL) -> String { String(source.lastPathComponent.dropLast(".bpf.c".count)) }

    private func files(in folder: URL) -> [URL] {
        let found = try? FileManager.default.contentsOfDirectory(at: folder, includingPropertiesForKeys: nil)
        return (found ?? []).sorted { $0.path < $1.path }
    }
}
