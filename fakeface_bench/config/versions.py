"""Versions of what moves a study's figures: studies of different ones keep to themselves."""

#: Raise it with any change that alters the figures of an unchanged study.
STUDY_VERSION = 1
#: Raise it with any change of the space that is searched.
SPACE_VERSION = 1
#: The same for what trains layers under the head.
TUNING_VERSION = 1

#: All of them, as a study's run tells it.
FIGURES_VERSION = f"study {STUDY_VERSION}, space {SPACE_VERSION}, tuning {TUNING_VERSION}"
