// SPDX-License-Identifier: Apache-2.0
import Testing

/// The rules themselves: each must find its sample and leave the clean neighbour alone.
@Suite struct RuleTests {
    private func banned(_ path: String, _ text: String) -> [Finding] {
        BannedConstruct.findings(in: Repository([path: text]))
    }

    @Test(
        "finds banned constructs in code",
        arguments: [
            ("Sources/A/x.swift", "let a = try! read()"),
            ("Sources/A/x.swift", "let a = b as! String"),
            ("Sources/A/x.swift", "print(a)"),
            ("Sources/A/x.swift", "fatalError(\"no\")"),
            ("Tests/A/x.swift", "usleep(10)"),
            ("Tests/A/x.swift", "@Test(.disabled(\"later\")) func a() {}"),
            ("Tests/A/x.swift", "@Test(.disabled (\"later\")) func a() {}"),
            ("Tests/A/x.swift", "@Suite(Trait.disabled()) struct A {}"),
            ("IntegrationTests/A/x.swift", "@Test(.enabled(if: false)) func a() {}"),
            ("DatapathTests/A/x.swift", "let never: ConditionTrait = later"),
            ("bpf/lib/x.h", "\tbpf_printk(\"x\");"),
            ("scripts/x", "pkill nginx"),
            ("Sources/A/x.swift", "// TO" + "DO: later"),
        ])
    func findsBanned(path: String, text: String) {
        #expect(banned(path, "let fine = 1\n\(text)\n").map(\.line) == [2])
    }

    @Test(
        "leaves comments, strings, longer words and allowed places alone",
        arguments: [
            ("Sources/A/x.swift", "// never try! here"),
            ("Sources/A/x.swift", "/* nested /* try! */ as! */ let a = 1"),
            ("Sources/A/x.swift", "let text = \"try! \\\" as! \" + #\"print(\"a\")\"#"),
            ("Sources/A/x.swift", "let text = \"\"\"\n  print(a)\n  \"\"\""),
            ("Sources/A/x.swift", "debugprint(a)"),
            ("scripts/x", "mktemp /tmp/a.XX" + "XXXX"),
            ("Sources/Console/x.swift", "print(a)"), ("Sources/A/x.swift", "case .enabled: a"),
            ("Sources/bulkhead/main.swift", "print(a)"),
            ("Tests/A/x.swift", "fatalError()"),
        ])
    func leavesAlone(path: String, text: String) {
        #expect(banned(path, text).isEmpty)
    }

    @Test("finds what is written to while it waits, and leaves what waits first alone")
    func awaitedWrites() {
        for line in [
            "places[number]?.limits = await limits(of: place)", "for a in b { b[a]?.c.d = try await e() }",
            "a?.count += await b",
        ] {
            #expect(AwaitedWrites.isAwaitedWrite(line), "\(line)")
        }
        for line in [
            "let a = await b?.c()", "places[number] = await place()", "a?.b = c", "if let a = b?.c, await d() {",
            "self.a = await b?.c",
        ] {
            #expect(!AwaitedWrites.isAwaitedWrite(line), "\(line)")
        }
    }

    private let manifest = """
        let valueTargets: [Target] = [
            module("Values"),
            .target(name: "Other", dependencies: ["Values"]),
        ]
        let logicTargets: [Target] = [
            module("Logic", ["Values"]),
        ]
        let edgeTargets: [Target] = [
            module("Edge", [
                "Logic", nioCore,
            ]),
        ]

        """

    @Test("reads the layers of a manifest and finds an upward dependency")
    func layers() {
        let layers = PackageLayers(manifest: manifest)
        #expect(layers.targets.map(\.name) == ["Values", "Other", "Logic", "Edge"])
        #expect(layers.targets.map(\.layer) == [0, 0, 1, 2])
        #expect(layers.findings.isEmpty)
        let upward = manifest.replacing("module(\"Logic\", [\"Values\"])", with: "module(\"Logic\", [\"Edge\"])")
        #expect(PackageLayers(manifest: upward).findings.count == 1)
    }

    @Test(
        "tells Foundation from its essentials, by layer",
        arguments: [
            ("Edge", "import Foundation", 1), ("Edge", "package import struct Foundation.Data", 1),
            ("Edge", "import FoundationEssentials", 0), ("Logic", "import FoundationEssentials", 1),
            ("Logic", "import NetworkModel", 0), ("Edge", "// import Foundation", 0),
        ])
    func imports(target: String, line: String, count: Int) {
        let repository = Repository(["Package.swift": manifest, "Sources/\(target)/x.swift": line])
        #expect(ImportRules.findings(in: repository).count == count)
    }

    @Test("measures Swift functions and keeps the ratchet")
    func functionLengths() {
        let body = String(repeating: "        work()\n", count: 80)
        let path = "Sources/A/x.swift"
        let text =
            "struct A {\n    func long(\n        a: Int\n    ) {\n\(body)    }\n\n    func short() {\n        work()\n    }\n}\n"
        #expect(Sizes.functions(in: SourceFile(path: path, text: text)).map(\.length) == [84, 3])
        #expect(Sizes.functionFindings(in: Repository([path: text])).map(\.line) == [2])
        for (limit, count) in [(84, 0), (83, 1)] {
            let ratchet = "# comment\n\(limit) \(path) long\n"
            #expect(Sizes.functionFindings(in: Repository([path: text, Sizes.ratchetPath: ratchet])).count == count)
        }
        for (head, name) in [
            ("var all: Int {", "all"), ("package static var all: Int {", "all"), ("lazy var all: () -> Int = {", "all"),
            ("private let all = {", "all"), ("subscript(a: Int) -> Int {", "subscript"), ("deinit {", "deinit"),
            ("private func a<B>(_ b: B) -> B\n    where B: C {", "a"),
            ("func a<B>(_ b: B)\n    where B: C\n    {", "a"),
            ("init?<B>(\n        _ b: B = { 0 }()\n    ) throws -> B\n    where B: C {", "init"),
            ("@Test(arguments: [(1, 2)]) func a() async throws\n    {", "a"),
        ] {
            let text = "struct A {\n    \(head)\n\(body)    }\n    let b = 1\n}\n"
            let found = Sizes.functionFindings(in: Repository([path: text]))
            #expect(found.map(\.line) == [2] && found[0].message.hasPrefix("\(name) has"), "\(head)")
        }
        let without =
            "protocol A {\n    func a() -> Int\n    var b: Int { get }\n}\nlet c = [\n    1\n]\nstruct D {\n\(body)}\n"
        #expect(Sizes.functions(in: SourceFile(path: path, text: without)).map(\.length) == [1])
        let stale = Repository([Sizes.ratchetPath: "90 Sources/A/gone.swift old\n"])
        #expect(Sizes.functionFindings(in: stale).map(\.path) == [Sizes.ratchetPath])
    }

    @Test("measures kernel functions")
    func kernelFunctionLengths() {
        let text = "static __always_inline int parse_it(struct a *a,\n\t\t\t\t    int b)\n{\n" + "\twork();\n" + "}\n"
        let functions = Sizes.functions(in: SourceFile(path: "bpf/lib/a.h", text: text))
        #expect(functions == [.init(name: "parse_it", line: 1, length: 3)])
    }

    @Test(
        "holds file ceilings",
        arguments: [
            ("bpf/lib/a.h", 301, 1), ("bpf/lib/a.h", 300, 0), ("Sources/A/a.swift", 601, 1), ("docs/a.md", 900, 0),
        ])
    func fileSizes(path: String, lines: Int, count: Int) {
        let repository = Repository([path: String(repeating: "\n", count: lines)])
        #expect(Sizes.fileFindings(in: repository).count == count)
    }

    @Test("finds kernel programs that no datapath test names")
    func kernelPrograms() {
        let program =
            "SEC(\".maps\") int x;\nSEC(\"tc\")\nint tc_from_endpoint(struct __sk_buff *skb)\n{\n}\nSEC(\"tc\") int tc_b(void)\n"
        var samples = ["bpf/programs/tc_a.bpf.c": program]
        #expect(Coverage.kernelProgramFindings(in: Repository(samples)).count == 2)
        samples["DatapathTests/a.swift"] = "run(\"tc_from_endpoint\"); run(\"tc_b\")"
        #expect(Coverage.kernelProgramFindings(in: Repository(samples)).isEmpty)
    }

    @Test("finds examples that no test loads")
    func examples() {
        var samples = ["Examples/policies/web.yaml": "a: b", "Examples/README.md": "text"]
        #expect(Coverage.exampleFindings(in: Repository(samples)).map(\.path) == ["Examples/policies/web.yaml"])
        samples["Tests/A/a.swift"] = "load(\"web.yaml\")"
        #expect(Coverage.exampleFindings(in: Repository(samples)).isEmpty)
        samples["Tests/A/a.swift"] = "loadFolder(\"Examples/policies\")"
        #expect(Coverage.exampleFindings(in: Repository(samples)).isEmpty)
    }

    @Test("compares the index of the examples with what they say of themselves")
    func exampleIndex() {
        var samples = [
            "Examples/policies/a.yaml": "# Says one thing,\n# here. And more.\nkind: A",
            "Examples/policies/tests/t.yaml": "# Not listed.",
            "Examples/policies/README.md": "- [a.yaml](a.yaml): Says one thing, here.\n",
        ]
        #expect(ExampleIndex.findings(in: Repository(samples)).isEmpty)
        samples["Examples/policies/README.md"] = "- [a.yaml](a.yaml): Says another.\n"
        #expect(ExampleIndex.findings(in: Repository(samples)).map(\.line) == [1, 1])
        samples["Examples/policies/README.md"] = nil
        #expect(ExampleIndex.findings(in: Repository(samples)).count == 1)
    }

    @Test("compares drop reasons of header, page and model")
    func dropReasons() {
        let header = "enum {\n\tDROP_NONE = 0,\n\tDROP_BAD_THING = 1, /* x */\n\tDROP_REASON_COUNT = 2,\n};\n"
        func findings(page: String, model: String) -> Int {
            DropReasons.findings(
                in: Repository([
                    DropReasons.header: header, DropReasons.page: page, "Sources/EventModel/a.swift": model,
                ])
            ).count
        }
        #expect(findings(page: "| 1 | `bad-thing` | x |", model: "case badThing = 1, \"bad-thing\"") == 0)
        #expect(findings(page: "| 1 | `bad-thing` | x |", model: "case other = 1") == 1)
        #expect(findings(page: "| 2 | `bad-thing` | x |", model: "case badThing = 1, \"bad-thing\"") == 2)
        #expect(findings(page: "", model: "case badThing = 1, \"bad-thing\"") == 1)
    }

    @Test(
        "checks links and anchors",
        arguments: [
            ("[a](b.md)", 0), ("[a](../README.md#two-words)", 0), ("[a](#here)", 0), ("[a](https://example.org/x)", 0),
            ("[a](c.md)", 1), ("[a](../README.md#three)", 1), ("`[a](c.md)`", 0), ("```\n[a](c.md)\n```", 0),
            ("[a](b.md) and [c](d.md)", 1),
        ])
    func links(text: String, count: Int) {
        let repository = Repository([
            "docs/a.md": "# Here\n\(text)\n", "docs/b.md": "", "README.md": "## Two `words`\n",
        ])
        #expect(MarkdownLinks.findings(in: repository).count == count)
    }

    @Test(
        "checks paths in backticks",
        arguments: [("`bpf/lib/a.h`", 0), ("`bpf/lib/`", 0), ("`bpf/b.h` and `bpf/*.h`", 1)])
    func paths(text: String, count: Int) {
        #expect(MarkdownLinks.pathFindings(in: Repository(["A.md": text, "bpf/lib/a.h": ""])).count == count)
    }

    @Test("finds mutations whose lines have changed", arguments: [("one();", 0), ("two();", 1), ("one();\none();", 1)])
    func mutations(text: String, count: Int) {
        let rule = "what: a\nfile: bpf/lib/a.h\n-one();\n+;\n"
        let repository = Repository(["scripts/mutations/a": rule, "bpf/lib/a.h": text])
        #expect(Mutations.findings(in: repository).count == count)
    }

    @Test("finds sources without their licence and paths of one machine")
    func hygiene() {
        let bare = Repository([
            "Sources/A/a.swift": "import A\n", "bpf/lib/a.h": "/* SPDX-License-Identifier: Apache-2.0 */",
        ])
        #expect(Hygiene.licenceFindings(in: bare).count == 2)
        let path = "cat " + "/ro" + "ot/secret"
        #expect(Hygiene.locationFindings(in: Repository(["docs/a.md": path])).count == 1)
        #expect(Hygiene.locationFindings(in: Repository(["docs/a.md": "https://example.org/wo" + "rk/a"])).isEmpty)
        for path in [
            "/wo" + "rk", "/mn" + "t/disk", "(/mn" + "t)", "/ho" + "me/x", "x=/tm" + "p/out.log", "`/tm" + "p/a`",
        ] {
            #expect(Hygiene.locationFindings(in: Repository(["docs/a.md": "see \(path)"])).count == 1, "\(path)")
        }
        for path in ["/wo" + "rkloads", "/tm" + "p/bulkhead-test", "a/tm" + "p/b", "/tm" + "p", "$(root)/mn" + "t/a"] {
            #expect(Hygiene.locationFindings(in: Repository(["docs/a.md": "see \(path)"])).isEmpty, "\(path)")
        }
    }
}
