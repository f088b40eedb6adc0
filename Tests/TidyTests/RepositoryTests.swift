// SPDX-License-Identifier: Apache-2.0
import Testing

/// Each rule over the working tree.
///
/// A failure lists `path:line: what to do`.
@Suite struct RepositoryTests {
    let repository: Repository

    init() throws {
        repository = try Repository.shared.get()
        try #require(repository.sources.count > 20, "the working tree was not found")
    }

    private func expectNone(_ findings: [Finding]) {
        for finding in findings { Issue.record("\(finding)") }
    }

    @Test("no banned construct")
    func banned() { expectNone(BannedConstruct.findings(in: repository)) }

    @Test("nothing is open for writing while something is waited for")
    func awaitedWrites() { expectNone(AwaitedWrites.findings(in: repository)) }

    @Test("Foundation stays out of the static binary")
    func imports() { expectNone(ImportRules.findings(in: repository)) }

    @Test("dependencies point downwards")
    func layers() throws {
        let layers = PackageLayers(manifest: try #require(repository.file("Package.swift")).text)
        #expect(Set(layers.targets.map(\.layer)) == [0, 1, 2, 3, 4])
        expectNone(layers.findings)
    }

    @Test("files hold one concept")
    func fileSizes() { expectNone(Sizes.fileFindings(in: repository)) }

    @Test("functions fit on a screen")
    func functionLengths() { expectNone(Sizes.functionFindings(in: repository)) }

    @Test("every kernel program has a datapath test")
    func kernelPrograms() { expectNone(Coverage.kernelProgramFindings(in: repository)) }

    @Test("every example is loaded by a test")
    func examples() { expectNone(Coverage.exampleFindings(in: repository)) }

    @Test("the index of the examples is theirs")
    func exampleIndex() { expectNone(ExampleIndex.findings(in: repository)) }

    @Test("every drop reason is documented and known to Swift")
    func dropReasons() { expectNone(DropReasons.findings(in: repository)) }

    @Test("relative links resolve")
    func links() { expectNone(MarkdownLinks.findings(in: repository)) }

    @Test("paths that documents name exist")
    func documentedPaths() { expectNone(MarkdownLinks.pathFindings(in: repository)) }

    @Test("every mutation still applies")
    func mutations() { expectNone(Mutations.findings(in: repository)) }

    @Test("every source names its licence")
    func licences() { expectNone(Hygiene.licenceFindings(in: repository)) }

    @Test("nothing depends on one machine's paths or hosts")
    func locations() { expectNone(Hygiene.locationFindings(in: repository)) }
}
