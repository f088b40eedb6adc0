// SPDX-License-Identifier: Apache-2.0
import NetworkModel
import PolicyModel

/// The directions that a policy lists; nil if the list is missing or empty, when its rules decide.
func policyTypes(_ list: Field?) -> Set<Direction>? {
    guard let elements = list?.elements(), !elements.isEmpty else { return nil }
    var directions: Set<Direction> = []
    for element in elements {
        switch element.string() {
        case "Ingress": directions.insert(.ingress)
        case "Egress": directions.insert(.egress)
        case .some(let text):
            let guess = closestWord(to: text, among: ["Ingress", "Egress"])
            element.error(
                .unknownValue, "\(element.quoted) is not a policy type",
                remedy: guess.map { "did you mean `\($0)`?" } ?? "write Ingress or Egress")
        case nil: break
        }
    }
    return directions
}
