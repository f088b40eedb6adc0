// SPDX-License-Identifier: Apache-2.0

import TestBed
import Testing

@Suite struct PackageTests {
    private static let repository = #filePath
        .split(separator: "/").dropLast(3).map { "/\($0)" }.joined()

    /// The script installs, tries, removes and purges what it made, in scratch roots; here from the tests' own build.
    @Test func `packages bring programs that run, a unit that systemd accepts, and leave nothing`() async throws {
        try await withTestBed(subnet: 30) { bed in
            let output = bed.path("dist")
            let binaries = TestAgent.product("bulkhead").split(separator: "/", omittingEmptySubsequences: false)
                .dropLast().joined(separator: "/")
            let result = try await bed.run(
                ["\(Self.repository)/scripts/package", "--binaries", binaries, "--output", output],
                within: .seconds(600))
            #expect(result.status == 0, "\(result.output)\(result.errors)")
            #expect(result.output.contains("packages: installed, tried and removed in scratch roots"))
            let fields = try await bed.run([
                "sh", "-c", "dpkg-deb --field \(output)/*.deb Package Architecture Version",
            ])
            #expect(fields.output.contains("Package: bulkhead\n"))
            let scripts = try await bed.run(["sh", "-c", "dpkg-deb --ctrl-tarfile \(output)/*.deb | tar -t"]).output
            for file in ["postinst", "prerm", "postrm", "conffiles", "md5sums"] { #expect(scripts.contains(file)) }
        }
    }
}
