// SPDX-License-Identifier: Apache-2.0

import CNIHost
import CNIPlugin
import Glibc

// Called by container runtimes for each interface of each container: see docs/reference/cni.md.

/// What a runtime sends is small; lists of everything that lives on a node are not.
let inputBytesMax = 16 << 20

func readInput() -> [UInt8] {
    var input: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 65_536)
    while input.count <= inputBytesMax {
        let count = unsafe read(STDIN_FILENO, &chunk, chunk.count)
        if count < 0 && errno == EINTR { continue }
        guard count > 0 else { break }
        input += chunk[..<count]
    }
    return input
}

func write(_ text: String, to descriptor: Int32) {
    let bytes = Array(text.utf8)
    var written = 0
    while written < bytes.count {
        let count = unsafe bytes.withUnsafeBytes { buffer in
            unsafe Glibc.write(descriptor, buffer.baseAddress?.advanced(by: written), bytes.count - written)
        }
        if count < 0 && errno == EINTR { continue }
        guard count > 0 else { return }
        written += count
    }
}

// Only these are looked at: a runtime's environment is its own affair.
let names = ["CNI_COMMAND", "CNI_CONTAINERID", "CNI_NETNS", "CNI_IFNAME", "CNI_ARGS"]
let environment = names.reduce(into: [String: String]()) { environment, name in
    guard let value = unsafe getenv(name) else { return }
    environment[name] = unsafe String(cString: value)
}

_ = signal(SIGPIPE, SIG_IGN)
let outcome = ChainedPlugin(LocalSurroundings()).run(
    environment: environment, input: environment["CNI_COMMAND"] == nil ? [] : readInput())
for line in outcome.log { write("bulkhead-cni: \(line)\n", to: STDERR_FILENO) }
write(outcome.output, to: STDOUT_FILENO)
exit(outcome.status)
