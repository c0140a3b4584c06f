//! Which known word was meant.

/// Puts the words that are nearest to what was read first. Equally near ones keep their order.
pub(super) fn sort_by_distance(known: &mut [String], read: &str) {
    known.sort_by_key(|word| distance(word, read));
}

/// The known word that was most likely meant, if one alone is near enough to be worth a guess.
pub(super) fn guess<'a>(known: impl Iterator<Item = &'a str>, read: &str) -> Option<&'a str> {
    let mut known: Vec<(usize, &str)> = known.map(|word| (distance(word, read), word)).collect();
    known.sort_unstable();
    known.dedup();
    let (least, word) = *known.first()?;
    let alone = known.get(1).is_none_or(|(next, _)| *next > least);
    // One slip in three letters: more is another word.
    (alone && least > 0 && least * 3 <= read.chars().count()).then_some(word)
}

/// Letters to insert, remove, replace or swap with their neighbour (optimal string alignment), upper
/// and lower case taken for the same.
fn distance(left: &str, right: &str) -> usize {
    let left: Vec<char> = left.to_lowercase().chars().collect();
    let right: Vec<char> = right.to_lowercase().chars().collect();
    let mut rows: Vec<Vec<usize>> = vec![(0..=right.len()).collect()];
    for i in 1..=left.len() {
        let mut row = vec![i];
        for j in 1..=right.len() {
            let replaced = rows[i - 1][j - 1] + usize::from(left[i - 1] != right[j - 1]);
            let mut least = replaced.min(rows[i - 1][j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && left[i - 1] == right[j - 2] && left[i - 2] == right[j - 1] {
                least = least.min(rows[i - 2][j - 2] + 1);
            }
            row.push(least);
        }
        rows.push(row);
    }
    rows[left.len()][right.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_costs_one_and_case_nothing() {
        for (left, right, expected) in
            [("pause", "pause", 0), ("pause", "puase", 1), ("pause", "pauses", 1), ("I2", "i2", 0), ("", "heal", 4)]
        {
            assert_eq!(distance(left, right), expected, "{left} {right}");
        }
    }

    #[test]
    fn only_a_near_word_is_guessed() {
        let known = || ["pause", "resume", "crash"].into_iter();
        assert_eq!(guess(known(), "resmue"), Some("resume"));
        assert_eq!(guess(known(), "explode"), None);
        assert_eq!(guess(["I2.a", "I2.b"].into_iter(), "I2.z"), None, "it could be either");
    }
}
