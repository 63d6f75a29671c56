"""Learned maps of a vector space, in which a brief lies nearer to the KOLs that fit it.

Raw cosines measure much that is beside the point: every vector shares a common direction, briefs
and KOLs lie in different corners, and a few loud dimensions drown the others. A projection takes
away each side's mean, evens out the dimensions, and may turn one side towards what past pairs have
in common. It is linear, so it is the same for any pair, known or new.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import numpy as np
import numpy.typing as npt

from features.similarity import GRID, Vectors, laid_on_grid, on_grid
from features.timeline import Floats

_MATRIX_GRID = 2.0**17
"""Largest whole number in a matrix: with vectors of up to 4,096 numbers no product rounds."""
_QUERY_GRID = 2.0**32
"""Steps of the grid in the length of a query: products with a unit vector stay under 2**53."""
_PRIOR = 10
"""KOLs' mean counts as so many briefs in the briefs' own: of a few, the mean says little."""
_DIRECTIONS = 16
"""Directions of a correction; past pairs are too few to tell more apart."""
_LANDMARKS = 256
"""Briefs kept to tell how crowded a place is."""


@dataclass(frozen=True, eq=False)
class Projection:
    """A map of one space, one side at a time.

    Attributes
    ----------
    space : str
        Name of the space.
    rooted : bool
        Whether the root of each number is taken first: cosines of roots compare shares, such as
        topic weights, by what they have in common (Bhattacharyya, 1943), where plain cosines see
        the largest alone.
    brief_mean, kol_mean : ndarray, shape (d,)
        What is taken away from unit vectors of each side, on the grid of `features.similarity`.
    brief_matrix, kol_matrix : ndarray, shape (d, r)
        Maps of each side, whole numbers: so that products are exact, whatever is computed beside.
    landmarks : ndarray, shape (m, r)
        Projected briefs that were known when it was fitted.
    """

    space: str
    rooted: bool
    brief_mean: Floats
    kol_mean: Floats
    brief_matrix: Floats
    kol_matrix: Floats
    landmarks: Floats

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Projection):
            return NotImplemented
        return all(
            np.array_equal(getattr(self, f.name), getattr(other, f.name)) for f in fields(self)
        )

    def __hash__(self) -> int:
        return hash((self.space, self.kol_matrix.tobytes()))

    @property
    def width(self) -> int:
        """How many numbers a vector of the space has."""
        return len(self.brief_mean)

    def briefs(self, vectors: npt.NDArray[np.floating]) -> Floats:
        """Map vectors of briefs, shape (n, d), to rows of length 1, shape (n, r); NaN for zero."""
        return self._map(vectors, self.brief_mean, self.brief_matrix)

    def kols(self, vectors: npt.NDArray[np.floating]) -> Floats:
        """Map vectors of KOLs or of their posts, shape (n, d), as `briefs` does."""
        return self._map(vectors, self.kol_mean, self.kol_matrix)

    def _map(self, vectors: npt.NDArray[np.floating], mean: Floats, matrix: Floats) -> Floats:
        if vectors.shape[1] != self.width:
            raise ValueError(
                f"Got vectors of length {vectors.shape[1]} in the space {self.space} but expected "
                f"{self.width}, as when the model was trained"
            )
        return on_grid((_placed(vectors, self.rooted) - mean) @ matrix) / GRID

    def laid_out(self, vectors: npt.NDArray[np.floating]) -> tuple[Vectors, Vectors]:
        """Map vectors of KOLs or of their posts, shape (n, d), and keep what comparing needs.

        Returns
        -------
        grid : ndarray of float32, shape (n, r)
            What `kols` gives, in whole steps of the grid of `features.similarity`; zeros for zero.
        norm : ndarray of float32, shape (n,)
            Length before that, which makes a cosine of what `seen` tells; 0 for zero.
        """
        mapped = np.nan_to_num((_placed(vectors, self.rooted) - self.kol_mean) @ self.kol_matrix)
        norm = np.sqrt(np.square(mapped).sum(axis=1))
        return laid_on_grid(mapped)[0], norm.astype(np.float32)

    def placed(self, vectors: npt.NDArray[np.floating]) -> Vectors:
        """Return vectors on the grid as they are mapped, rooted where that is done first."""
        return laid_on_grid(_rooted(vectors) if self.rooted else vectors)[0]

    def seen(self, vectors: npt.NDArray[np.floating]) -> tuple[Floats, Floats, Floats]:
        """Return how briefs, shape (n, d), look from where KOLs' vectors are before any map.

        A map is linear: a projected cosine is a product with the KOL's own vector, of which so
        many more are known than of briefs.

        Returns
        -------
        query, size, offset : ndarray of float64, shapes (n, d), (n,) and (n,)
            ``(query @ placed * size - offset) / norm`` is the cosine of both projections, for
            `placed` and `laid_out`. NaN for zero. The query is on a grid of its own, so that the
            product is exact.
        """
        query = self.briefs(vectors) @ self.kol_matrix.T
        length = np.sqrt(np.square(query).sum(axis=1))
        told = length > 0
        unit = np.divide(
            query, length[:, None], out=np.full_like(query, np.nan), where=told[:, None]
        )
        query, size = np.rint(unit * _QUERY_GRID), length / _QUERY_GRID
        return query, size, (query @ self.kol_mean) * size

    def corrected(self, briefs: Floats, kols: Floats, pull: Floats, strength: float) -> Projection:
        """Turn the KOLs' side towards what pairs that fit have in common.

        The correction is the leading directions of ``sum(pull * brief * kol')``, the covariance
        that partial least squares decomposes (Wegelin, 2000); the identity stays, so that a
        brief's nearest KOLs stay near where the past says nothing.

        Parameters
        ----------
        briefs, kols : ndarray, shape (n, d)
            Both vectors of each past pair.
        pull : ndarray, shape (n,)
            How much better a pair fits than is usual for its brief; sums to 0 over a brief.
        strength : float
            Size of the leading direction of the correction; 0 changes nothing.
        """
        left, right = self.briefs(briefs), self.kols(kols)
        known = ~(np.isnan(left[:, 0]) | np.isnan(right[:, 0]))
        if not strength or not known.any():
            return self
        common = (left[known] * pull[known, None]).T @ right[known]
        towards, size, back = np.linalg.svd(common)
        if not size[0] > 0:
            return self
        kept = slice(min(_DIRECTIONS, len(size)))
        turn = (towards[:, kept] * (size[kept] / size[0])) @ back[kept]
        matrix = self.kol_matrix @ (np.eye(len(turn)) + strength * turn).T
        return replace(self, kol_matrix=_whole(matrix))

    def seen_from(self, briefs: npt.NDArray[np.floating]) -> Projection:
        """Keep an even choice of briefs as landmarks; `briefs` of shape (n, d)."""
        rows = np.unique(np.linspace(0, len(briefs) - 1, _LANDMARKS).astype(int))
        landmarks = self.briefs(briefs[rows] if len(briefs) else briefs)
        return replace(self, landmarks=landmarks[~np.isnan(landmarks).any(axis=1)])


@dataclass(frozen=True)
class Spread:
    """How the vectors of a space are spread, from which projections of any evenness are made.

    Attributes
    ----------
    space, rooted, brief_mean, kol_mean
        As in `Projection`.
    variance : ndarray, shape (d,)
        Variance along each axis, largest first.
    axes : ndarray, shape (d, d)
        Principal axes, in columns.
    """

    space: str
    rooted: bool
    brief_mean: Floats
    kol_mean: Floats
    variance: Floats
    axes: Floats

    @classmethod
    def of(
        cls, space: str, briefs: npt.NDArray[np.floating], kols: npt.NDArray[np.floating]
    ) -> Spread:
        """Measure the spread of both sides, with the covariance shrunk as Ledoit and Wolf (2004).

        Parameters
        ----------
        briefs, kols : ndarray, shapes (b, d) and (k, d)
            Vectors; rows of zeros count for nothing. At least one other row on each side.
        """
        from sklearn.covariance import ledoit_wolf

        rooted = bool((briefs >= 0).all() and (kols >= 0).all())
        left, right = (_known(_placed(side, rooted)) for side in (briefs, kols))
        kol_mean = np.rint(right.mean(axis=0))
        brief_mean = np.rint((left.sum(axis=0) + _PRIOR * kol_mean) / (len(left) + _PRIOR))
        centred = np.vstack([left - brief_mean, right - kol_mean]) / GRID
        variance, axes = np.linalg.eigh(ledoit_wolf(centred, assume_centered=True)[0])
        return cls(space, rooted, brief_mean, kol_mean, variance[::-1], axes[:, ::-1])

    def projection(self, rank: int) -> Projection:
        """Return the projection onto the leading axes, each given the same variance.

        Whitening it is called, and it helps cosines of sentence vectors too (Su et al., 2021).
        Axes of roots stay as they are: the root has evened them out already (Anscombe, 1948).

        Parameters
        ----------
        rank : int
            Axes kept at most.
        """
        floor = 1e-12 * max(float(self.variance[0]), 1e-300)
        even = np.ones(rank) if self.rooted else np.maximum(self.variance[:rank], floor) ** -0.5
        matrix = _whole(self.axes[:, :rank] * even[: len(self.variance)])
        none = np.empty((0, matrix.shape[1]))
        means = (self.brief_mean, self.kol_mean)
        return Projection(self.space, self.rooted, *means, matrix, matrix, none)


def _placed(vectors: npt.NDArray[np.floating], rooted: bool) -> Floats:
    return on_grid(_rooted(vectors) if rooted else vectors)


def _rooted(vectors: npt.NDArray[np.floating]) -> Floats:
    return np.sqrt(np.maximum(vectors.astype(np.float64), 0.0))


def _known(rows: Floats) -> Floats:
    return rows[~np.isnan(rows).any(axis=1)]


def _whole(matrix: Floats) -> Floats:
    """Scale a map to whole numbers; its size is of no account, since rows become unit after it."""
    return np.asarray(np.rint(matrix * (_MATRIX_GRID / np.abs(matrix).max())))
