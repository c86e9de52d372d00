//! A union-find forest whose members know whether they are like their root or its opposite.

/// Each member's parent, and whether it is the parent's opposite (the lowest bit).
pub(crate) struct Forest(Vec<u32>);

impl Forest {
    /// `members` separate members, at most 2³¹.
    pub(crate) fn new(members: usize) -> Self {
        Self((0..members as u32).map(|member| member << 1).collect())
    }

    /// The root of a member, which is the lowest one of its set, and whether the member is its opposite.
    #[inline]
    pub(crate) fn root(&mut self, mut member: u32) -> (u32, bool) {
        let mut opposite = 0;
        loop {
            let link = self.0[member as usize];
            if link >> 1 == member {
                return (member, opposite == 1);
            }
            // Halves the path for the next time.
            let halved = self.0[link as usize >> 1] ^ (link & 1);
            self.0[member as usize] = halved;
            opposite ^= halved & 1;
            member = halved >> 1;
        }
    }

    /// Joins two sets so that the members are alike, or opposites. Returns false if they are already known not to be.
    #[inline]
    pub(crate) fn join(&mut self, one: u32, other: u32, opposite: bool) -> bool {
        let ((one, flipped), (other, other_flipped)) = (self.root(one), self.root(other));
        let opposite = opposite ^ flipped ^ other_flipped;
        if one != other {
            self.0[one.max(other) as usize] = one.min(other) << 1 | u32::from(opposite);
        }
        one != other || !opposite
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn opposites_of_opposites_are_alike() {
        let mut forest = Forest::new(6);
        assert!(forest.join(5, 4, true));
        assert!(forest.join(3, 4, true));
        assert!(forest.join(1, 5, false));
        assert_eq!(forest.root(3), (1, false));
        assert_eq!(forest.root(4), (1, true));
        assert!(forest.join(3, 1, false));
        assert!(!forest.join(3, 4, false));
        assert_eq!(forest.root(2), (2, false));
    }

    #[test]
    fn a_long_chain_has_its_lowest_member_as_root() {
        let mut forest = Forest::new(100_000);
        for member in (1..100_000).rev() {
            assert!(forest.join(member, member - 1, true));
        }
        assert_eq!(forest.root(99_999), (0, true));
        assert_eq!(forest.root(50_000), (0, false));
    }
}
