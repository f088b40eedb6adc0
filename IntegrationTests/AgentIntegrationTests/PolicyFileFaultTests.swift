// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import TestBed
import Testing

/// Files in the policy directory that cannot be read at all.
@Suite(.serialized) struct PolicyFileFaultTests {
    /// Shell lines that put something in the place of `$f`, and words of what `status` must say about it.
    private static let faults: [(name: String, script: String, words: [String])] = [
        ("a pipe nobody writes to", "mkfifo $f", ["policy.yaml", "is not a regular file"]),
        ("a dangling link", "ln -s nowhere $f", ["policy.yaml", "no such file"]),
        ("100 MB", "truncate -s 100M $f", ["policy.yaml", "104857600 bytes", "split it"]),
        ("15 MB of one token", "head -c 15000000 /dev/zero | tr '\\0' a > $f", ["policy.yaml:1:"]),
        ("bytes of no text", "head -c 4096 /dev/urandom > $f", ["policy.yaml:1:"]),
    ]

    @Test func `what cannot be read leaves the old state in force and is told`() async throws {
        try await withTestBed(subnet: 54) { bed in
            let shop = try await Shop(bed)
            _ = try await shop.startAgent()
            try await shop.enforce(Shop.clientOnly)
            let path = "\(shop.agent.policyDirectory)/policy.yaml"
            for (name, script, words) in Self.faults {
                // Made beside and renamed over, so that at no moment the file is gone.
                try await bed.shell("f=\(path).made; \(script); mv -T $f \(path)")
                let problem = try await eventuallySome("\(name) is reported") {
                    try await shop.control.status().problems.first
                }
                for word in words { #expect(problem.message.contains(word), "\(name): \(problem.message)") }
                #expect(problem.message.utf8.count < 4096, "\(name)")
                #expect(try await shop.client.canConnect(to: shop.server.address4, port: 80), "\(name)")
                #expect(try await !shop.intruder.canConnect(to: shop.server.address6, port: 80), "\(name)")
                try shop.agent.writePolicy("policy.yaml", Shop.clientOnly)
                try await eventually("\(name) mended") { try await shop.control.status().problems.isEmpty }
            }
            let applied = try await shop.agent.tool("policy", "apply", "-f", "/dev/zero")
            #expect(applied.status != 0 && applied.errors.contains("/dev/zero is larger than 16 MiB"))
        }
    }
}
