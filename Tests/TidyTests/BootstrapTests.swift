// SPDX-License-Identifier: Apache-2.0
import Foundation
import Testing

/// `scripts/bootstrap --dry-run` on machines that are made up: their own os-release, their own PATH, no Swift.
@Suite struct BootstrapTests {
    /// A folder that is the whole PATH: tools of this machine, and doubles.
    private struct Machine: ~Copyable {
        let folder: URL

        init(osRelease: String) throws {
            folder = FileManager.default.temporaryDirectory.appending(path: "bulkhead-bootstrap-\(UUID().uuidString)")
            try FileManager.default.createDirectory(at: bin, withIntermediateDirectories: true)
            try osRelease.write(to: folder.appending(path: "os-release"), atomically: true, encoding: .utf8)
            for tool in [
                "bash", "basename", "cut", "dirname", "getent", "head", "id", "mktemp", "readlink", "rm", "sed",
                "sort", "stat", "tail", "uname",
            ] {
                let found = ["/usr/bin", "/bin"].map { "\($0)/\(tool)" }.first {
                    FileManager.default.isExecutableFile(atPath: $0)
                }
                try FileManager.default.createSymbolicLink(
                    atPath: bin.appending(path: tool).path, withDestinationPath: try #require(found))
            }
            try add("dpkg-query", "exit 1")
        }

        deinit { try? FileManager.default.removeItem(at: folder) }

        private var bin: URL { folder.appending(path: "bin") }

        /// A double, in place of a link to the real tool.
        func add(_ tool: String, _ script: String) throws {
            let file = bin.appending(path: tool)
            try? FileManager.default.removeItem(at: file)
            try "#!\(bin.path)/bash\n\(script)\n".write(to: file, atomically: false, encoding: .utf8)
            try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: file.path)
        }

        func bootstrap(_ arguments: String...) throws -> (status: Int32, output: String) {
            let process = Process()
            let pipe = Pipe()
            process.executableURL = bin.appending(path: "bash")
            process.arguments = [Repository.root.appending(path: "scripts/bootstrap").path] + arguments
            process.environment = [
                "PATH": bin.path, "HOME": folder.path, "BULKHEAD_TOOLCHAIN_ROOT": folder.path,
                "BULKHEAD_OS_RELEASE": folder.appending(path: "os-release").path,
                "BULKHEAD_SWIFTLY_URL": "https://swiftly.invalid/swiftly.tar.gz",
            ]
            process.standardOutput = pipe
            process.standardError = pipe
            try process.run()
            let output = String(decoding: pipe.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
            process.waitUntilExit()
            return (process.terminationStatus, output)
        }
    }

    private static let noble = "NAME=Ubuntu\nID=ubuntu\nVERSION_ID=\"24.04\"\n"
    private static let bookworm = "ID=debian\nVERSION_ID=\"12\"\n"

    private func words(_ line: String) -> Set<String> { Set(line.split { $0 == " " || $0 == "\n" }.map(String.init)) }

    @Test func `Ubuntu is asked for packages by its own names`() throws {
        let machine = try Machine(osRelease: Self.noble)
        try machine.add("curl", "exit 0")
        let (status, output) = try machine.bootstrap("--dry-run")
        let wanted = words(output)
        #expect(status == 0, "\(output)")
        #expect(
            wanted.isSuperset(of: ["libstdc++-13-dev", "libzstd-dev", "linux-tools-common", "linux-tools-generic"]))
        #expect(!wanted.contains("bpftool"), "a virtual package there: never installed by that name")
    }

    @Test func `Debian is asked for packages by its own names`() throws {
        let machine = try Machine(osRelease: Self.bookworm)
        try machine.add("curl", "exit 0")
        let (status, output) = try machine.bootstrap("--dry-run")
        #expect(status == 0 && words(output).isSuperset(of: ["libstdc++-12-dev", "bpftool", "podman"]), "\(output)")
        #expect(try !words(machine.bootstrap("--dry-run", "build").output).contains("podman"))
    }

    @Test func `a peer whose package wants a mail server is only unpacked`() throws {
        let machine = try Machine(osRelease: Self.bookworm)
        try machine.add("curl", "exit 0")
        let lines = try machine.bootstrap("--dry-run").output.split(separator: "\n")
        let installed = lines.filter { $0.contains("would install") }.flatMap { words(String($0)) }
        #expect(installed.contains("fastnetmon") && installed.contains("libiptables-parse-perl"), "\(lines)")
        #expect(!installed.contains("psad"), "\(lines)")
    }

    @Test func `an absent Swift comes from the official installer, in the release that one file names`() throws {
        let machine = try Machine(osRelease: Self.noble)
        try machine.add("curl", "exit 0")
        let release = try String(contentsOf: Repository.root.appending(path: ".swift-version"), encoding: .utf8)
        let output = try machine.bootstrap("--dry-run", "build").output
        #expect(output.contains("would install Swift \(release.split(separator: "\n")[0]) "), "\(output)")
    }

    @Test func `an installer that cannot be reached is a polite refusal`() throws {
        let machine = try Machine(osRelease: Self.noble)
        try machine.add("curl", "exit 6")
        let (status, output) = try machine.bootstrap("--dry-run", "build")
        #expect(status == 1)
        #expect(output.contains("https://swiftly.invalid/swiftly.tar.gz cannot be reached"), "\(output)")
        #expect(output.contains("put its usr/bin on PATH and run this again"))
    }

    @Test func `a Swift that is too old does not count`() throws {
        let machine = try Machine(osRelease: Self.noble)
        try machine.add("curl", "exit 6")
        try machine.add("swift", "echo 'Swift version 5.10 (swift-5.10-RELEASE)'")
        #expect(try machine.bootstrap("--dry-run", "build").status == 1)
        try machine.add("swift", "echo 'Swift version 7.0 (swift-7.0-RELEASE)'")
        #expect(try machine.bootstrap("--dry-run", "build").status == 0)
    }

    @Test func `a toolchain unpacked by hand gets the libraries it lacks`() throws {
        let machine = try Machine(osRelease: Self.noble)
        try machine.add("curl", "exit 0")
        try machine.add("swift", "exit 127")
        try machine.add("swift-build", "exit 127")
        try machine.add("ldd", #"printf '\tlibxml2.so.2 => not found\n\tlibc.so.6 => /lib/libc.so.6 (0x1)\n'"#)
        let output = try machine.bootstrap("--dry-run", "build").output
        #expect(output.contains("swift lacks libxml2.so.2\n"), "\(output)")
        #expect(words(output).isSuperset(of: ["libxml2-dev", "libncurses-dev"]), "\(output)")
    }

    @Test func `without root and sudo it says what to install`() throws {
        let machine = try Machine(osRelease: Self.bookworm)
        try machine.add("id", "echo 1000")
        try machine.add("apt-get", "echo 'apt-get ran'; exit 0")
        let (status, output) = try machine.bootstrap("build")
        #expect(status == 1 && output.contains("neither root nor sudo") && output.contains("libbpf-dev"), "\(output)")
        #expect(!output.contains("apt-get ran"))
    }

    @Test func `a distribution without apt is refused with the list of what is needed`() throws {
        let machine = try Machine(osRelease: "ID=fedora\nVERSION_ID=42\n")
        let (status, output) = try machine.bootstrap("--dry-run")
        #expect(status == 1 && output.contains("fedora 42") && output.contains("libbpf-dev"), "\(output)")
        #expect(output.contains("Supported are Debian 12 and Ubuntu 24.04"))
    }
}
