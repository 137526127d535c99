"""Fitting a model by maximum likelihood: from several starts, with standard errors, and saying so where it failed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Final, Protocol

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

_BOUND: Final = 14.0
"""Logarithms of parameters are looked for between minus and plus so much."""
_STEP: Final = 1e-4
_CLOSE: Final = 1e-3
_SAMPLE: Final = 50_000
"""Of how many accounts the starts are tried."""


class Model(Protocol):
    """What can be fitted: positive parameters, and a log-likelihood with its gradient."""

    names: ClassVar[Sequence[str]]

    def accounts(self) -> float:
        """Return how many accounts there are."""
        ...

    def sample(self, most: int) -> Model:
        """Return the model over about so many of the accounts, or over all where it has no more."""
        ...

    def starts(self) -> list[Sequence[float]]:
        """Return parameters to begin with."""
        ...

    def likelihood(self, parameters: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        """Return the log-likelihood of all accounts and its gradient by the parameters."""
        ...

    def complaint(self, parameters: Mapping[str, float]) -> str:
        """Say in a sentence what is wrong with parameters, or nothing."""
        ...


@dataclass(frozen=True, slots=True)
class Fit:
    """A fitted model.

    Attributes:
        parameters: by name; those with the highest likelihood.
        errors: their standard errors, by name; None where the likelihood has no peak there.
        log_likelihood: of all accounts.
        starts: from how many points it was looked for, and how many of those led to the same peak.
        warnings: sentences about what is not as it should be; a fit with any is not to be believed.
    """

    parameters: Mapping[str, float]
    errors: Mapping[str, float | None]
    log_likelihood: float
    starts: tuple[int, int]
    warnings: tuple[str, ...] = field(default=())

    def to_plain(self) -> dict[str, Any]:
        """Return it as plain JSON."""
        return {
            "parameters": {name: float(f"{value:.9g}") for name, value in self.parameters.items()},
            "errors": {name: None if e is None else float(f"{e:.6g}") for name, e in self.errors.items()},
            "log_likelihood": round(self.log_likelihood, 4),
            "starts": self.starts[0],
            "agreeing_starts": self.starts[1],
            "warnings": list(self.warnings),
        }


def fit(model: Model) -> Fit:
    """Fit a model in the logarithms of its parameters, by L-BFGS-B with its gradient, one thread only.

    With two threads of linear algebra on a busy machine of two cores such a fit was up to 60 times slower. Of more than
    50,000 accounts every k-th is taken to try the starts on, and all of them are fitted from the best peak of these.
    """
    from scipy.optimize import minimize
    from threadpoolctl import threadpool_limits

    tried = model.sample(_SAMPLE)
    bounds = [(-_BOUND, _BOUND)] * len(model.names)
    options = {"maxiter": 1000, "ftol": 1e-14, "gtol": 1e-9}
    with threadpool_limits(limits=1), np.errstate(over="ignore", under="ignore", invalid="ignore", divide="ignore"):
        found = [
            minimize(_loss(tried), np.log(start), jac=True, method="L-BFGS-B", bounds=bounds, options=options)
            for start in tried.starts()
        ]
        best = min(found, key=lambda result: float(result.fun))
        loss = _loss(model)
        if tried.accounts() < model.accounts():
            best_of_all = minimize(loss, best.x, jac=True, method="L-BFGS-B", bounds=bounds, options=options)
        else:
            best_of_all = best
        errors = _errors(loss, best_of_all.x)
    agreeing = sum((float(result.fun) - float(best.fun)) * tried.accounts() < _CLOSE for result in found)
    best = best_of_all
    parameters = dict(zip(model.names, (float(value) for value in np.exp(best.x)), strict=True))
    errors = None if errors is None else errors / np.sqrt(model.accounts())
    told = None if errors is None else dict(zip(model.names, errors * np.exp(best.x), strict=True))
    warnings = [
        *(
            f"{name} ran away to {parameters[name]:.3g}"
            for name, log in zip(model.names, best.x, strict=True)
            if _far(log)
        ),
        *([] if told is not None else ["the likelihood has no peak there, so that there are no standard errors"]),
    ]
    complaint = model.complaint(parameters)
    return Fit(
        parameters,
        {name: None if told is None else float(told[name]) for name in model.names},
        -float(best.fun) * model.accounts(),
        (len(found), agreeing),
        tuple([complaint, *warnings] if complaint else warnings),
    )


def _loss(model: Model) -> Callable[[NDArray[np.float64]], tuple[float, NDArray[np.float64]]]:
    """Return what is made as small as can be: minus the log-likelihood of an account, by the logarithms."""
    many = model.accounts()

    def loss(logs: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        parameters = np.exp(logs)
        value, gradient = model.likelihood(parameters)
        if not (np.isfinite(value) and np.isfinite(gradient).all()):
            return 1e300, np.zeros_like(logs)
        return -value / many, -gradient * parameters / many

    return loss


def _far(log: float) -> bool:
    return bool(abs(log) > _BOUND - 1)


def _errors(
    loss: Callable[[NDArray[np.float64]], tuple[float, NDArray[np.float64]]], at: NDArray[np.float64]
) -> NDArray[np.float64] | None:
    """Return the standard errors of the logarithms, from the curvature of the likelihood; None where it is no peak."""
    rows = []
    for place in range(len(at)):
        step = np.zeros_like(at)
        step[place] = _STEP
        rows.append((loss(at + step)[1] - loss(at - step)[1]) / (2 * _STEP))
    curvature = np.array(rows)
    curvature = (curvature + curvature.T) / 2
    if not np.all(np.isfinite(curvature)):
        return None
    values, vectors = np.linalg.eigh(curvature)
    if values.min() <= 1e-10 * max(1.0, values.max()):
        return None
    variances: NDArray[np.float64] = np.einsum("ij,j,ij->i", vectors, 1 / values, vectors)
    return np.sqrt(variances)
