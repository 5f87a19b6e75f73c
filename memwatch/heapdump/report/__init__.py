"""An analysis for people: as text and as one HTML file. From plain JSON, without numpy."""
