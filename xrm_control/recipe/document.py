"""The recipe: one document made of the stages' own specifications."""

from __future__ import annotations

import hashlib
import json
from typing import Annotated, Any, Literal

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer

from xrm_control.acquisition.conditions import Condition
from xrm_control.acquisition.mosaic import MosaicSpec
from xrm_control.acquisition.policies import Policies
from xrm_control.acquisition.retry import RetryPolicy
from xrm_control.acquisition.tomography import TomographySpec
from xrm_control.alerts.spec import AlertsSpec
from xrm_control.analysis.spec import AnalysisSpec
from xrm_control.compute.executor import EXECUTORS, Compute
from xrm_control.compute.processes import Processes
from xrm_control.contracts.alignment import Alignment
from xrm_control.contracts.specification import SpecificationLine
from xrm_control.core.model import InFile, Spec
from xrm_control.core.sample import SampleSpec
from xrm_control.devices.backend import BACKENDS, Backend
from xrm_control.devices.safety import SafetySpec
from xrm_control.recipe.handoff import TakerSpec
from xrm_control.reconstruction.pipeline import ReconstructionSpec
from xrm_control.roi.strategy import STRATEGIES, RoiStrategy

_LATER = ("policies", "conditions", "alerts", "alignment", "specification")


class OutputSpec(Spec):
    """What is written beside the truth, and what must stay free on the disk."""

    volume_16bit: bool = Field(default=False, description="also write volume-16bit.tif, a quarter of the memory")
    keep_free_gb: float = Field(default=1.0, ge=0, le=1_000_000, description="refuse to start if less would stay free")


class Recipe(Spec):
    """What shall be done, from sample to report. Every part has the paper's settings as its default."""

    version: Literal[1] = Field(default=1, description="version of this format")
    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,59}$", description="up to 60 letters, digits, - and _")
    sample: SampleSpec = SampleSpec()
    instrument: Annotated[Backend, BACKENDS]
    alignment: Annotated[Alignment | None, InFile()] = Field(
        default=None,
        description="how the camera stands against the stage: the file that `xrm calibrate` wrote; none: straight",
    )
    safety: SafetySpec = SafetySpec()
    mosaic: MosaicSpec = MosaicSpec()
    roi: Annotated[RoiStrategy, STRATEGIES]
    scan: TomographySpec = TomographySpec()
    retry: RetryPolicy = RetryPolicy()
    policies: Policies = Policies()
    alerts: AlertsSpec = AlertsSpec()
    conditions: Annotated[tuple[Condition, ...], Field(max_length=50)] = ()
    reconstruction: ReconstructionSpec = ReconstructionSpec()
    analysis: AnalysisSpec = AnalysisSpec()
    specification: Annotated[tuple[SpecificationLine, ...], Field(max_length=20)] = ()
    handoff: TakerSpec = TakerSpec()
    compute: Annotated[Compute, EXECUTORS] = Processes()
    output: OutputSpec = OutputSpec()

    def aligned_reconstruction(self) -> ReconstructionSpec:
        """How scans are reconstructed, with the axis's tilt as the alignment knows it, unless the recipe says it."""
        spec, alignment = self.reconstruction, self.alignment
        if alignment is None or alignment.axis_tilt_deg is None or spec.known_tilt_deg is not None:
            return spec
        return spec.model_copy(update={"known_tilt_deg": alignment.axis_tilt_deg})

    @model_serializer(mode="wrap")
    def _as_before(self, said: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Without the parts of later that say nothing: recipes from before there were such keep their hash."""
        content: dict[str, Any] = said(self)
        silent = {name for name in _LATER if getattr(self, name) == type(self).model_fields[name].default}
        return {name: value for name, value in content.items() if name not in silent}

    def sha256(self) -> str:
        """Hash of the recipe's meaning: every setting resolved, however the file looks, whatever else is installed."""
        stated = self.model_copy(update={"analysis": self.analysis.as_stated()})
        text = json.dumps(stated.model_dump(mode="json"), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()
