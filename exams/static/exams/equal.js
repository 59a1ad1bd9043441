/* Whether two answers say the same: JSON values, compared by what they hold. */
export function isEqual(one, other) {
    if (one === other) {
        return true;
    }
    if (one === null || other === null || typeof one !== "object" || typeof other !== "object") {
        return false;
    }
    const keys = Object.keys(one);
    return keys.length === Object.keys(other).length && keys.every((key) => isEqual(one[key], other[key]));
}
