// SPDX-License-Identifier: Apache-2.0

import PolicyModel
import Testing

@testable import PolicyReading

@Suite struct YAMLScalarTests {
    @Test(
        "types plain scalars by the core schema",
        arguments: [
            ("", .null), ("~", .null), ("null", .null), ("true", .boolean(true)), ("False", .boolean(false)),
            ("yes", .string("yes")), ("on", .string("on")), ("0", .integer(0)), ("-12", .integer(-12)),
            ("+3", .integer(3)), ("010", .integer(10)), ("0o17", .integer(15)), ("0x1F", .integer(31)),
            ("0x", .string("0x")), ("12a", .string("12a")), ("1.5", .float), ("1e3", .float), (".5", .float),
            ("1.", .float), (".", .string(".")), ("-", .string("-")), ("+.inf", .float), (".NaN", .float),
            ("1e", .string("1e")), ("10.0.0.0/8", .string("10.0.0.0/8")), ("99999999999999999999", .integer(nil)),
        ] as [(String, YAMLResolvedScalar)])
    func typesPlainScalars(text: String, expected: YAMLResolvedScalar) {
        #expect(YAMLScalar(text: text, isPlain: true).resolved == expected)
    }

    @Test("a quoted scalar is a string whatever it looks like", arguments: ["", "true", "80", "null"])
    func quotedIsString(text: String) {
        #expect(YAMLScalar(text: text, isPlain: false).resolved == .string(text))
    }
}

@Suite struct YAMLComposerTests {
    private func documents(_ text: String, limits: YAMLLimits = .init()) throws -> [YAMLNode] {
        var composer = try YAMLComposer(Array(text.utf8), limits: limits)
        var documents: [YAMLNode] = []
        while let next = try composer.nextDocument(reporting: { _ in }) { documents.append(next) }
        return documents
    }

    private func failure(_ text: String, limits: YAMLLimits = .init()) -> YAMLError? {
        do {
            _ = try documents(text, limits: limits)
            return nil
        } catch {
            return error as? YAMLError
        }
    }

    @Test("reads several documents, block and flow style")
    func readsDocuments() throws {
        let found = try documents("a: 1\n---\n[x, {y: z}]\n--- |\n text\n")
        #expect(found.count == 3)
        #expect(found.map(\.typeName) == ["a mapping", "a list", "a string"])
    }

    @Test("marks every value with the place of its first and past its last character")
    func marksPlaces() throws {
        let root = try #require(try documents("first: x\nlist:\n  - öl: [1, two]\n").first)
        guard case .mapping(let pairs) = root.content, case .sequence(let elements) = pairs[1].value.content,
            case .mapping(let inner) = elements[0].content, case .sequence(let numbers) = inner[0].value.content
        else {
            Issue.record("unexpected shape")
            return
        }
        #expect(pairs[1].keyStart == YAMLMark(line: 2, column: 1))
        #expect(inner[0].keyStart == YAMLMark(line: 3, column: 5))
        #expect(numbers[1].start == YAMLMark(line: 3, column: 13))
        #expect(numbers[1].end == YAMLMark(line: 3, column: 16))
    }

    @Test("an alias stands for the value of its anchor, and the later of two anchors counts")
    func expandsAliases() throws {
        let root = try #require(try documents("a: &x [1, 2]\nb: *x\nc: &x 3\nd: *x\n").first)
        guard case .mapping(let pairs) = root.content else {
            Issue.record("unexpected shape")
            return
        }
        #expect(pairs.map(\.value.typeName) == ["a list", "a list", "a number", "a number"])
        #expect(root.weight == 13)
    }

    @Test("aliases of aliases stop at the limit of nodes instead of filling the memory")
    func stopsBillionLaughs() {
        var text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
        for level in 1...30 {
            let aliases = Array(repeating: "*a\(level - 1)", count: 10).joined(separator: ", ")
            text += "a\(level): &a\(level) [\(aliases)]\n"
        }
        #expect(failure(text)?.code == .tooManyNodes)
        #expect(failure(text)?.message == "the file has more than 2000000 nodes once its aliases are expanded")
    }

    @Test("a file that is merely long is not said to have aliases")
    func namesNoAliases() {
        let limits = YAMLLimits(nodeCountMax: 5)
        let error = failure("a: &unused [1, 2, 3, 4, 5]\n", limits: limits)
        #expect(error?.message == "the file has more than 5 nodes" && error?.remedy == "split it into several files")
        #expect(failure("a: &x [1]\nb: *x\nc: *x\n", limits: limits)?.message.contains("aliases") == true)
    }

    @Test("the limit of nodes is for all documents of a file together")
    func limitsNodesOfFile() {
        let text = String(repeating: "[1, 2, 3]\n---\n", count: 10)
        #expect(failure(text, limits: YAMLLimits(nodeCountMax: 39))?.code == .tooManyNodes)
        #expect(failure(text, limits: YAMLLimits(nodeCountMax: 45)) == nil)
    }

    @Test("nesting stops at the limit of depth", arguments: ["[", "{a: ", "- "])
    func limitsDepth(opening: String) {
        #expect(failure(String(repeating: opening, count: 70))?.code == .tooDeep)
        #expect(failure(String(repeating: opening, count: 5), limits: YAMLLimits(depthMax: 3))?.code == .tooDeep)
    }

    @Test(
        "says where and why a text is not YAML",
        arguments: [
            ("a: b: c\n", 1, 5), ("a: [1, 2\nb: 3\n", 2, 2), ("\tkey: 1\n", 1, 1), ("a: 'open\n", 2, 1),
            ("a: 1\n- b\n", 2, 1), ("%YAML 3.0\n---\na\n", 1, 1), ("a: @x\n", 1, 4), ("a: \u{1}\n", 1, 4),
            ("*\n", 1, 2), ("ö: [}\n", 1, 5),
        ])
    func reportsSyntax(text: String, line: Int, column: Int) {
        let error = failure(text)
        #expect(error?.code == .syntax)
        #expect(error?.start == YAMLMark(line: line, column: column))
    }

    @Test("bytes that are not UTF-8 are an error with their place")
    func refusesInvalidUTF8() throws {
        let error = #expect(throws: YAMLError.self) {
            var composer = try YAMLComposer(Array("ok: 1\nbad: ".utf8) + [0xff, 0xfe, 10], limits: .init())
            while try composer.nextDocument(reporting: { _ in }) != nil {}
        }
        #expect(error?.code == .syntax)
        #expect(error?.start == YAMLMark(line: 2, column: 6))
    }
}

@Suite struct YAMLDiagnosticTests {
    @Test("a key that is there twice is an error that names both places")
    func reportsDuplicateKeys() throws {
        let set = read("apiVersion: v1\nkind: List\nitems: []\nkind: List\n")
        let diagnostic = try #require(set.diagnostics.first)
        #expect(diagnostic.code == .duplicateKey)
        #expect(diagnostic.location.text == "policy.yaml:4:1")
        #expect(diagnostic.related.first?.location.text == "policy.yaml:2:1")
    }

    @Test(
        "features that policies cannot use are errors",
        arguments: [
            ("a: *nothing\n", "1:4 BH1007 "), ("a: !env HOME\n", "1:4 BH1008 "),
            ("a: &a {b: c}\nd: {<<: *a}\n", "2:5 BH1008 "), ("? [x]\n: y\n", "1:3 BH1101 "),
        ])
    func refusesFeatures(text: String, expected: String) {
        #expect(findings(text).contains(expected))
    }

    @Test("a file over the limit of size is refused without being parsed")
    func limitsSize() throws {
        let set = read(String(repeating: "#", count: 100), options: .init(limits: YAMLLimits(byteCountMax: 99)))
        #expect(set.diagnostics.map(\.code) == [.tooLarge])
        #expect(set.diagnostics[0].message == "the file has 100 bytes, the limit is 99")
    }

    @Test(
        "shows the right line whatever ends the lines",
        arguments: ["\n", "\r\n", "\r", "\u{85}", "\u{2028}", "\u{2029}"])
    func countsLines(lineEnd: String) throws {
        let lines = ["apiVersion: v1", "# two", "kind: Nonsense", "metadata: {name: a}", ""]
        let diagnostic = try #require(read(lines.joined(separator: lineEnd)).diagnostics.first)
        #expect(diagnostic.location.text == "policy.yaml:3:7")
        #expect(diagnostic.excerpt?.line == "kind: Nonsense")
    }

    @Test("a byte order mark does not move the caret")
    func skipsByteOrderMark() throws {
        let diagnostic = try #require(read("\u{feff}kind: 1\napiVersion: v1\n").diagnostics.first)
        #expect(diagnostic.location.text == "policy.yaml:1:7")
        #expect(diagnostic.excerpt?.line == "kind: 1")
    }

    @Test("what was found before the text became unreadable is reported too")
    func reportsBeforeSyntaxError() {
        #expect(findings("a: 1\na: 2\nb: [\n") == ["2:1 BH1006 ", "4:1 BH1003 "])
    }

    @Test("errors stop at their limit, however many there are")
    func limitsErrors() {
        let text = (0..<5000).map { "k\($0): 1\nk\($0): 2\n" }.joined()
        #expect(read(text).diagnostics.count == 200)
    }

    @Test("renders like a compiler: message, place, line with caret, remedy")
    func renders() {
        let set = read(networkPolicy("podSelector: {}\ningress:\n- from:\n  - ipBlock: {cidr: 10.0.0.0/33}\n"))
        #expect(
            set.diagnostics.rendered == """
                error[BH1301]: `10.0.0.0/33` is not a prefix: prefix length 33 is greater than 32
                 --> policy.yaml:8:23 (spec.ingress[0].from[0].ipBlock.cidr)
                  |
                8 |     - ipBlock: {cidr: 10.0.0.0/33}
                  |                       ^^^^^^^^^^^
                  = help: write a prefix like 10.0.0.0/8 or 2001:db8::/32

                1 error
                """)
    }

    @Test("the caret stays under the text on long lines and beside odd characters")
    func rendersLongLines() {
        let padding = String(repeating: "é", count: 300)
        let set = read(ciliumPolicy("endpointSelector: {matchLabels: {\"container:\(padding)\": 7}}\ningress: [{}]\n"))
        let lines = set.diagnostics[0].rendered.split(separator: "\n").map(String.init)
        #expect(lines[3].count < 120)
        let caret = lines[4].firstIndex(of: "^").map { lines[4].distance(from: lines[4].startIndex, to: $0) }
        let seven = lines[3].firstIndex(of: "7").map { lines[3].distance(from: lines[3].startIndex, to: $0) }
        #expect(caret == seven)
    }
}
