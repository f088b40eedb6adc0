// SPDX-License-Identifier: Apache-2.0

import DetectionModel
import NetworkModel

/// One figure or fact of an alert as it is kept: bounded, and with the largest value that was seen.
package struct AlertEvidence: Hashable, Sendable, Codable {
    /// In JSON a number, a text or a list of texts.
    package enum Value: Hashable, Sendable {
        case number(Double)
        case text(String)
        case list([String])
    }

    package var name: String
    package var value: Value

    package init(_ name: String, _ value: Value) {
        self.name = name
        self.value = value
    }

    init(_ evidence: Evidence) {
        name = AlertEvidence.cut(evidence.name)
        switch evidence.value {
        case .number(let number): value = .number(number.isFinite ? number : 0)
        case .text(let text): value = .text(AlertEvidence.cut(text))
        case .addresses(let addresses): value = .list(addresses.prefix(AlertEvidence.listMax).map(\.description))
        case .ports(let ports): value = .list(ports.prefix(AlertEvidence.listMax).map { "\($0)" })
        }
    }

    /// Items of an alert, members of a list, and UTF-8 bytes of a text at most.
    static let itemsMax = 32
    static let listMax = 32
    static let textBytesMax = 512

    static func cut(_ text: String) -> String { cut(text, bytes: textBytesMax) }

    /// The text cut to so many UTF-8 bytes, at a character.
    package static func cut(_ text: String, bytes most: Int) -> String {
        guard text.utf8.count > most else { return text }
        var bytes = 0
        return String(
            text.prefix { character in
                bytes += character.utf8.count
                return bytes <= most
            })
    }
}

extension AlertEvidence.Value: Codable {
    package init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        if let number = try? container.decode(Double.self) {
            self = .number(number)
        } else if let text = try? container.decode(String.self) {
            self = .text(text)
        } else {
            self = .list(try container.decode([String].self))
        }
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        switch self {
        case .number(let number): try container.encode(number)
        case .text(let text): try container.encode(text)
        case .list(let list): try container.encode(list)
        }
    }
}

extension [AlertEvidence] {
    /// Takes new figures in: of numbers the larger one stays, of lists all members, of texts the newest.
    mutating func merge(_ news: [Evidence]) {
        for item in news.prefix(AlertEvidence.itemsMax).map(AlertEvidence.init) {
            guard let index = firstIndex(where: { $0.name == item.name }) else {
                if count < AlertEvidence.itemsMax { append(item) }
                continue
            }
            switch (self[index].value, item.value) {
            case (.number(let old), .number(let new)): self[index].value = .number(Swift.max(old, new))
            case (.list(let old), .list(let new)):
                let added = new.filter { !old.contains($0) }
                self[index].value = .list([String]((old + added).prefix(AlertEvidence.listMax)))
            case (_, let new): self[index].value = new
            }
        }
    }
}
