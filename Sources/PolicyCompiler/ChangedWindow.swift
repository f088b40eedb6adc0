// SPDX-License-Identifier: Apache-2.0

/// Two versions of a list: what both begin and end with is left out, because most changes touch few places.
struct ChangedWindow<Element> {
    let old: ArraySlice<Element>
    let new: ArraySlice<Element>

    init(from old: [Element], to new: [Element], by isSame: (Element, Element) -> Bool) {
        let shorter = min(old.count, new.count)
        var front = 0
        while front < shorter, isSame(old[front], new[front]) { front += 1 }
        var back = 0
        while back < shorter - front, isSame(old[old.count - 1 - back], new[new.count - 1 - back]) { back += 1 }
        self.old = old[front..<(old.count - back)]
        self.new = new[front..<(new.count - back)]
    }
}
