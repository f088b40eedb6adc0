// SPDX-License-Identifier: Apache-2.0

/// The layers of Package.swift, read from its text: five lists of targets, lowest first.
struct PackageLayers {
    struct Target: Equatable {
        let name: String
        let layer: Int
        let mentions: [String]
    }

    static let lists = ["valueTargets", "logicTargets", "edgeTargets", "compositionTargets", "executableTargets"]
    let targets: [Target]

    init(manifest: String) {
        var targets: [Target] = []
        for (layer, list) in Self.lists.enumerated() {
            guard let start = manifest.firstRange(of: "let \(list): [Target] = [\n") else { continue }
            let rest = manifest[start.upperBound...]
            let body = rest.firstRange(of: "\n]").map { rest[..<$0.lowerBound] } ?? rest
            for entry in Self.entries(of: body) {
                let names = entry.split(separator: "\"", omittingEmptySubsequences: false).enumerated()
                    .filter { $0.offset % 2 == 1 }.map { String($0.element) }
                guard let name = names.first else { continue }
                targets.append(Target(name: name, layer: layer, mentions: Array(names.dropFirst())))
            }
        }
        self.targets = targets
    }

    func targets(inLayers layers: ClosedRange<Int>) -> [String] {
        targets.filter { layers.contains($0.layer) }.map(\.name)
    }

    /// A target depends on its own layer and those below, never upwards.
    var findings: [Finding] {
        let layerOf = Dictionary(targets.map { ($0.name, $0.layer) }, uniquingKeysWith: { first, _ in first })
        return targets.flatMap { target in
            target.mentions.compactMap { mention in
                guard let layer = layerOf[mention], layer > target.layer else { return nil }
                return Finding(
                    path: "Package.swift", line: 1,
                    message:
                        "\(target.name) (layer \(target.layer)) depends on \(mention) (layer \(layer)): only downwards")
            }
        }
    }

    /// The calls at the top of a list: text between balanced parentheses.
    private static func entries(of body: Substring) -> [Substring] {
        var entries: [Substring] = []
        var depth = 0
        var start = body.startIndex
        for index in body.indices {
            if body[index] == "(" {
                if depth == 0 { start = index }
                depth += 1
            } else if body[index] == ")" {
                depth -= 1
                if depth == 0 { entries.append(body[start...index]) }
            }
        }
        return entries
    }
}
