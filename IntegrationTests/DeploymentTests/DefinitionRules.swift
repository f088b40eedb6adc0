// SPDX-License-Identifier: Apache-2.0

import PolicyReading

/// What the API server demands of a CustomResourceDefinition, and what bounds the objects it lets in.
enum DefinitionRules {
    static func findings(_ manifest: Manifest) -> [String] {
        let spec = manifest.node["spec"]
        let names = spec?["names"]
        var findings: [String] = []
        if manifest.name != "\(names?["plural"]?.text ?? "").\(spec?["group"]?.text ?? "")" {
            findings.append("its name is not <plural>.<group>")
        }
        let versions = spec?["versions"]?.items ?? []
        let stored = versions.filter { $0["storage"]?.isTrue == true }
        if stored.count != 1 { findings.append("not one version is stored") }
        for version in versions {
            guard let schema = version["schema"]?["openAPIV3Schema"] else {
                findings.append("\(version["name"]?.text ?? ""): no schema")
                continue
            }
            findings += faults(of: schema, at: version["name"]?.text ?? "")
        }
        return findings.map { "\(manifest.name): \($0)" }
    }

    private static func faults(of schema: ConfigurationNode, at path: String) -> [String] {
        var faults: [String] = []
        let properties = schema["properties"]
        switch schema["type"]?.text {
        case "object":
            for key in properties?.keys ?? [] {
                if let value = properties?[key] { faults += Self.faults(of: value, at: "\(path).\(key)") }
            }
            for key in schema["required"]?.texts ?? [] where properties?[key] == nil {
                faults.append("\(path) requires \(key), which it does not have")
            }
            if let value = schema["additionalProperties"] {
                faults += Self.faults(of: value, at: "\(path).*")
                if schema["maxProperties"] == nil { faults.append("\(path) has no maxProperties") }
                if properties != nil { faults.append("\(path) has both properties and additionalProperties") }
            } else if properties == nil {
                faults.append("\(path) has no properties")
            }
        case "array":
            if schema["maxItems"] == nil { faults.append("\(path) has no maxItems") }
            guard let items = schema["items"] else { return faults + ["\(path) has no items"] }
            faults += Self.faults(of: items, at: "\(path)[]")
            for key in schema["x-kubernetes-list-map-keys"]?.texts ?? []
            where items["required"]?.texts.contains(key) != true && items["properties"]?[key]?["default"] == nil {
                faults.append("\(path) is keyed by \(key), which its items need not have")
            }
        case "string":
            let isBounded = schema["maxLength"] != nil || schema["enum"] != nil || schema["format"] != nil
            if !isBounded { faults.append("\(path) is of any length") }
        case "integer", "boolean": break
        default: faults.append("\(path) has no type")
        }
        for rule in schema["x-kubernetes-validations"]?.items ?? [] {
            if rule["message"]?.text == nil { faults.append("\(path): a rule without a message") }
            do {
                try CELSyntax.check(rule["rule"]?.text ?? "")
            } catch {
                faults.append("\(path): \(error)")
            }
        }
        return faults
    }
}
